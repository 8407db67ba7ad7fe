# SPDX-License-Identifier: Apache-2.0
"""One question to one name server (RFC 1035), past all caches and settings of the host."""

import asyncio
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from appliance.netcore.plan.values import Address

_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!HHIH")
_TYPES = {"A": 1, "NS": 2, "AAAA": 28}
_INTERNET = 1
_SPACING = 0.7
_SERVER_FAILED = 2


@dataclass(frozen=True)
class Answer:
    """`code` is the RCODE (0 no error, 2 server failure, 3 no such name, 5 refused).

    `authoritative`: the server has it of its own, and did not ask for it.
    """

    code: int
    addresses: frozenset[Address] = frozenset()
    authoritative: bool = False

    @property
    def failed(self) -> bool:
        return self.code == _SERVER_FAILED


def question(ident: int, name: str, kind: str) -> bytes:
    """A query with recursion desired."""
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _HEADER.pack(ident, 0x0100, 1, 0, 0, 0) + encoded + struct.pack("!HH", _TYPES[kind], _INTERNET)


def read_answer(message: bytes, ident: int) -> Answer | None:
    """The answer to the query `ident`; None if it is another's or makes no sense."""
    try:
        got, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
        if got != ident or not flags & 0x8000:
            return None
        return Answer(flags & 0xF, frozenset(_addresses(message, questions, answers)), bool(flags & 0x0400))
    except (struct.error, IndexError):
        return None


def _addresses(message: bytes, questions: int, answers: int) -> Iterator[Address]:
    place = _HEADER.size
    for _ in range(questions):
        place = _after_name(message, place) + 4
    for _ in range(answers):
        place = _after_name(message, place)
        kind, _, _, length = _RECORD.unpack_from(message, place)
        place += _RECORD.size
        if kind in (_TYPES["A"], _TYPES["AAAA"]) and length in (4, 16):
            yield ip_address(message[place : place + length])
        place += length


def _after_name(message: bytes, place: int) -> int:
    while (length := message[place]) != 0:
        if length >= 0xC0:
            return place + 2
        place += length + 1
    return place + 1


class _Asking(asyncio.DatagramProtocol):
    def __init__(self, ident: int) -> None:
        self.ident = ident
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        answer = read_answer(data, self.ident)
        if answer is not None and not self.answer.done():
            self.answer.set_result(answer)


async def resolve(
    server: Address, name: str, kind: str, timeout: float, source: Address | None = None
) -> Answer | None:
    """Ask `server` at port 53, again every 0.7 s; None if nothing came back within `timeout` seconds."""
    ident = int.from_bytes(os.urandom(2), "big")
    loop = asyncio.get_running_loop()
    try:
        transport, asking = await loop.create_datagram_endpoint(
            lambda: _Asking(ident),
            remote_addr=(str(server), 53),
            local_addr=(str(source), 0) if source else None,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(timeout):
            while True:
                transport.sendto(question(ident, name, kind))
                await asyncio.wait({asking.answer}, timeout=_SPACING)
                if asking.answer.done():
                    return asking.answer.result()
    except TimeoutError:
        return None
    finally:
        transport.close()
