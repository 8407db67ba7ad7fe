# SPDX-License-Identifier: Apache-2.0
"""Who on a link answers for an IPv4 address? Asked by ARP (RFC 826, RFC 5227), which no firewall drops."""

import asyncio
import socket
import struct
from ipaddress import IPv4Address

from appliance.netcore.errors import DoorError

_ARP = 0x0806
_FRAME = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_REQUEST, _REPLY = 1, 2
_EVERYBODY = b"\xff" * 6
_TRIES = 3


def request(mac: bytes, sender: IPv4Address, target: IPv4Address) -> bytes:
    """A who-has frame; `sender` 0.0.0.0 asks without telling anybody anything (RFC 5227, section 2.1)."""
    return _FRAME.pack(
        _EVERYBODY, mac, _ARP, 1, 0x0800, 6, 4, _REQUEST, mac, sender.packed, bytes(6), target.packed
    )


def read_owner(frame: bytes, target: IPv4Address) -> bytes | None:
    """The hardware address in an ARP packet of whoever has `target`; None for anything else."""
    if len(frame) < _FRAME.size:
        return None
    _, _, kind, _, _, _, _, operation, mac, sender, _, _ = _FRAME.unpack_from(frame)
    if kind != _ARP or operation != _REPLY or sender != target.packed:
        return None
    return bytes(mac)


async def who_has(link: str, mac: str, sender: IPv4Address, target: IPv4Address, timeout: float) -> str:
    """The hardware address of another machine that has `target` on `link`; empty if none answers.

    Raises `DoorError` where a raw socket can't be had.
    """
    own = bytes.fromhex(mac.replace(":", ""))
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(_ARP))
        sock.bind((link, _ARP))
    except OSError as error:
        raise DoorError(f"can't ask by ARP on {link}: {error.strerror}; run as root") from error
    with sock:
        for _ in range(_TRIES):
            try:
                sock.send(request(own, sender, target))
            except OSError:
                # The link went down meanwhile: nobody answers there.
                return ""
            if found := await _answer(sock, own, target, timeout / _TRIES):
                return found.hex(":")
    return ""


async def _answer(sock: socket.socket, own: bytes, target: IPv4Address, timeout: float) -> bytes | None:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            while True:
                mac = read_owner(await loop.sock_recv(sock, 128), target)
                if mac is not None and mac != own:
                    return mac
    except (TimeoutError, OSError):
        return None
