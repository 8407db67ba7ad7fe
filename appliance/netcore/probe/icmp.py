# SPDX-License-Identifier: Apache-2.0
"""ICMP echo (RFC 792, RFC 4443) from a chosen source address, on the event loop, with no thread."""

import asyncio
import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress

from appliance.netcore.errors import DoorError
from appliance.netcore.plan.values import Address

_ECHO = struct.Struct("!BBHHH")
_V4_REQUEST, _V4_REPLY = 8, 0
_V6_REQUEST, _V6_REPLY = 128, 129
_PAYLOAD = 16  # bytes of chance: an answer to another program's ping can't be taken for ours

# Linux's names that Python's socket module has not: include/uapi/linux/icmp.h and icmpv6.h, in.h
_SOL_RAW = 255
_ICMP_FILTER = 1
_ICMP6_FILTER = 1
_IP_PKTINFO = 8
_MTU_DISCOVER = {4: (socket.IPPROTO_IP, 10), 6: (socket.IPPROTO_IPV6, 23)}
_PMTUDISC_PROBE = 3


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo_request(version: int, ident: int, sequence: int, payload: bytes) -> bytes:
    """An echo request's ICMP message. The kernel fills in the checksum of version 6."""
    kind = _V4_REQUEST if version == 4 else _V6_REQUEST
    blank = _ECHO.pack(kind, 0, 0, ident, sequence) + payload
    if version == 6:
        return blank
    return _ECHO.pack(kind, 0, checksum(blank), ident, sequence) + payload


def read_reply(version: int, packet: bytes) -> tuple[int, int, bytes] | None:
    """Ident, sequence and payload of an echo reply as a raw socket gives it; None for anything else."""
    # Only version 4 comes with its IP header; the header's length is in words of 4 bytes.
    message = packet[(packet[0] & 0x0F) * 4 :] if version == 4 and packet else packet
    if len(message) < _ECHO.size:
        return None
    kind, _code, _sum, ident, sequence = _ECHO.unpack_from(message)
    if kind != (_V4_REPLY if version == 4 else _V6_REPLY):
        return None
    return ident, sequence, message[_ECHO.size :]


class Pinger:
    """Sends echo requests and matches the replies. One raw socket for each IP version, opened when used.

    `whole`: packets go whole or not at all, whatever the kernel has learnt of the path's MTU.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, whole: bool = False) -> None:
        self._clock = clock
        self._whole = whole
        self._ident = int.from_bytes(os.urandom(2), "big")
        self._sequence = 0
        self._sockets: dict[int, socket.socket] = {}
        self._waiting: dict[tuple[int, bytes], asyncio.Future[float]] = {}

    async def ping(
        self, destination: Address, source: Address | None, timeout: float, size: int = _PAYLOAD
    ) -> float | None:
        """One echo; its round trip in seconds, or None if none came back within `timeout` seconds.

        `size` is that of what the echo carries, in bytes, and at least 16.
        A destination that can't be reached now is no answer, too. `DoorError` if the kernel won't let us ask.
        """
        version = destination.version
        self._sequence = (self._sequence + 1) & 0xFFFF
        payload = os.urandom(_PAYLOAD) + bytes(size - _PAYLOAD)
        key = (self._sequence, payload)
        answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        request = echo_request(version, self._ident, self._sequence, payload)
        self._waiting[key] = answered
        sent = self._clock()
        try:
            if not self._send(request, destination, source):
                await asyncio.sleep(timeout)
                return None
            async with asyncio.timeout(timeout):
                return await answered - sent
        except TimeoutError:
            return None
        finally:
            del self._waiting[key]

    def open(self) -> None:
        """Open both sockets now, in the network namespace of the calling thread; raises `DoorError`."""
        for version in (4, 6):
            self._socket(version)

    def close(self) -> None:
        """Give the sockets back."""
        for sock in self._sockets.values():
            with suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._sockets.clear()

    def _send(self, request: bytes, destination: Address, source: Address | None) -> bool:
        sock = self._socket(destination.version)
        try:
            sock.sendmsg([request], _from(source), 0, (str(destination), 0))
        except OSError:
            # No route, no such source yet, or a firewall: for a probe that is a lost packet like any other.
            return False
        return True

    def _socket(self, version: int) -> socket.socket:
        if version not in self._sockets:
            try:
                self._sockets[version] = _open(version)
            except OSError as error:
                raise DoorError(f"can't open a raw socket for ICMP: {error.strerror}; run as root") from error
            if self._whole:
                self._sockets[version].setsockopt(*_MTU_DISCOVER[version], _PMTUDISC_PROBE)
            asyncio.get_running_loop().add_reader(self._sockets[version], self._receive, version)
        return self._sockets[version]

    def _receive(self, version: int) -> None:
        try:
            packet = self._sockets[version].recv(2048)
        except OSError:
            # What a raw socket reports here is an ICMP error about an earlier packet; its silence is enough.
            return
        reply = read_reply(version, packet)
        if reply is None or reply[0] != self._ident:
            return
        waiting = self._waiting.get((reply[1], reply[2]))
        if waiting is not None and not waiting.done():
            waiting.set_result(self._clock())


def _open(version: int) -> socket.socket:
    if version == 4:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)
        sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", 0xFFFFFFFF & ~(1 << _V4_REPLY)))
        return sock
    sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6)
    blocked = [0xFFFFFFFF] * 8
    blocked[_V6_REPLY >> 5] &= ~(1 << (_V6_REPLY & 31)) & 0xFFFFFFFF
    sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *blocked))
    return sock


def _from(source: Address | None) -> list[tuple[int, int, bytes]]:
    """The control message that chooses the source address of one packet (ip(7), RFC 3542)."""
    if source is None:
        return []
    if source.version == 4:
        info = struct.pack("=I4s4s", 0, source.packed, bytes(4))
        return [(socket.IPPROTO_IP, _IP_PKTINFO, info)]
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, struct.pack("=16sI", source.packed, 0))]
