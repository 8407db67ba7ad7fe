# SPDX-License-Identifier: Apache-2.0
"""One question to a name server, over UDP (RFC 1035)."""

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

NOERROR, NXDOMAIN, REFUSED = 0, 3, 5

_TYPES = {"A": 1, "AAAA": 28}


@dataclass(frozen=True)
class Answer:
    """The response code, the addresses, and the time to live of the first of them."""

    code: int
    addresses: frozenset[IPv4Address | IPv6Address] = frozenset()
    ttl: int | None = None


def ask(server: str, name: str, kind: str = "A", source: str | None = None) -> Answer | None:
    """What `server` says about `name` within a second; None for silence."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    question = labels + b"\0" + struct.pack("!HH", _TYPES[kind], 1)
    with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1)
        if source is not None:
            asking.bind((source, 0))
        asking.sendto(struct.pack("!6H", 7410, 0x0100, 1, 0, 0, 0) + question, (server, 53))
        try:
            reply = asking.recv(4096)
        except OSError:
            return None
    _, flags, _, count, _, _ = struct.unpack("!6H", reply[:12])
    return _read(reply, flags & 0xF, 12 + len(question), count)


def _read(reply: bytes, code: int, at: int, count: int) -> Answer:
    addresses, ttls = set(), []
    for _ in range(count):
        # Every name in an answer is a pointer of two bytes to the question's (RFC 1035, 4.1.4).
        _, kind, _, ttl, length = struct.unpack("!HHHIH", reply[at : at + 12])
        data = reply[at + 12 : at + 12 + length]
        if kind in _TYPES.values():
            addresses.add(ip_address(data))
            ttls.append(ttl)
        at += 12 + length
    return Answer(code, frozenset(addresses), ttls[0] if ttls else None)
