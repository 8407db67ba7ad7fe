# SPDX-License-Identifier: Apache-2.0
"""Does a peer's IKE daemon answer here? One IKE_SA_INIT that no daemon accepts (RFC 7296, section 1.2).

What is offered is long forbidden, so that the answer is a refusal and the peer keeps no state for it.
"""

import asyncio
import os
import struct
from enum import StrEnum

from appliance.netcore.plan.values import Address

_HEADER = struct.Struct("!8s8sBBBBII")
_SA, _KE, _NONCE, _NONE = 33, 34, 40, 0
_VERSION_2, _SA_INIT, _INITIATOR = 0x20, 34, 0x08
#: Encryption 3DES, PRF and integrity HMAC-MD5, group 1 (RFC 7296, section 3.3.2).
_TRANSFORMS = ((1, 3), (2, 1), (3, 1), (4, 1))
_GROUP, _GROUP_SIZE = 1, 96
#: On the port of NAT traversal IKE is told from ESP by four zeros (RFC 3948, section 2.2).
_MARKER = bytes(4)
_SPACING = 0.5


class Answer(StrEnum):
    """What came of asking."""

    ANSWERED = "answered"
    SILENT = "silent"
    REFUSED = "refused"  # an ICMP error: nobody listens on that port
    BLOCKED = "blocked"  # this host's own firewall did not let it out
    NO_ROUTE = "no-route"


def sa_init(spi: bytes) -> bytes:
    """The message."""
    transforms = b"".join(
        struct.pack("!BBHBBH", 3 if index + 1 < len(_TRANSFORMS) else 0, 0, 8, kind, 0, number)
        for index, (kind, number) in enumerate(_TRANSFORMS)
    )
    proposal = struct.pack("!BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, len(_TRANSFORMS)) + transforms
    body = b"".join(
        (
            _payload(_KE, proposal),
            _payload(_NONCE, struct.pack("!HH", _GROUP, 0) + os.urandom(_GROUP_SIZE)),
            _payload(_NONE, os.urandom(32)),
        )
    )
    length = _HEADER.size + len(body)
    return _HEADER.pack(spi, bytes(8), _SA, _VERSION_2, _SA_INIT, _INITIATOR, 0, length) + body


def _payload(following: int, body: bytes) -> bytes:
    return struct.pack("!BBH", following, 0, 4 + len(body)) + body


class _Asking(asyncio.DatagramProtocol):
    def __init__(self, spi: bytes) -> None:
        self.spi = spi
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data.removeprefix(_MARKER).startswith(self.spi):
            self.settle(Answer.ANSWERED)

    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, PermissionError):
            self.settle(Answer.BLOCKED)
        elif isinstance(exc, ConnectionRefusedError):
            self.settle(Answer.REFUSED)

    def settle(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


async def ask(address: Address, port: int, timeout: float, *, marker: bool) -> Answer:
    """Send it, again every half second, and wait for any answer up to `timeout` seconds."""
    spi = os.urandom(8)
    message = (_MARKER if marker else b"") + sa_init(spi)
    loop = asyncio.get_running_loop()
    try:
        transport, asking = await loop.create_datagram_endpoint(
            lambda: _Asking(spi), remote_addr=(str(address), port)
        )
    except OSError:
        return Answer.NO_ROUTE
    try:
        async with asyncio.timeout(timeout):
            while True:
                transport.sendto(message)
                await asyncio.wait({asking.answer}, timeout=_SPACING)
                if asking.answer.done():
                    return asking.answer.result()
    except TimeoutError:
        return Answer.SILENT
    finally:
        transport.close()
