# SPDX-License-Identifier: Apache-2.0
"""The form of rtnetlink's messages (netlink(7), rtnetlink(7)): values in, bytes out, and back. Pure.

Only what links, addresses, routes, rules and neighbours of ours are made of, in the kernel's own names.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import AF_INET, AF_INET6
from typing import Any

from appliance.netcore.plan.values import Address, Prefix

#: Of every message: length, type, flags, sequence number, port.
HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_TYPE_MASK = 0x3FFF  # the two bits above say how an attribute is encoded, not what it is

FAMILIES = {4: int(AF_INET), 6: int(AF_INET6)}
_VERSIONS = {number: version for version, number in FAMILIES.items()}
_DEFAULTS: dict[int, Prefix] = {4: IPv4Network((0, 0)), 6: IPv6Network((0, 0))}


@dataclass(frozen=True)
class Kind:
    """A table of the kernel: the type that stands for a new object, and its fixed part, field by field."""

    new: int
    form: struct.Struct
    fields: tuple[str, ...]

    @property
    def delete(self) -> int:
        return self.new + 1

    @property
    def get(self) -> int:
        return self.new + 2

    def head(self, values: Mapping[str, int]) -> bytes:
        """The fixed part; what is not named is 0."""
        return self.form.pack(*(values.get(field, 0) for field in self.fields))


_ROUTE_FORM = struct.Struct("=BBBBBBBBI")
KINDS = {
    "link": Kind(16, struct.Struct("=BxHiII"), ("family", "type", "index", "flags", "change")),
    "addr": Kind(20, struct.Struct("=BBBBI"), ("family", "prefixlen", "flags", "scope", "index")),
    "route": Kind(
        24,
        _ROUTE_FORM,
        ("family", "dst_len", "src_len", "tos", "table", "proto", "scope", "type", "flags"),
    ),
    "neigh": Kind(28, struct.Struct("=BxxxiHBB"), ("family", "ifindex", "state", "flags", "type")),
    "rule": Kind(
        32,
        _ROUTE_FORM,
        ("family", "dst_len", "src_len", "tos", "table", "res1", "res2", "action", "flags"),
    ),
}

#: Numbers of attributes by the kernel's names for them.
ATTRIBUTES = {
    "IFLA_ADDRESS": 1, "IFLA_IFNAME": 3, "IFLA_MTU": 4, "IFLA_MASTER": 10, "IFLA_LINKINFO": 18,
    "IFLA_INFO_KIND": 1, "IFLA_INFO_DATA": 2, "IFLA_XFRM_IF_ID": 2,
    "IFLA_VXLAN_ID": 1, "IFLA_VXLAN_GROUP": 2, "IFLA_VXLAN_LOCAL": 4, "IFLA_VXLAN_LEARNING": 7,
    "IFLA_VXLAN_PORT_RANGE": 10, "IFLA_VXLAN_PORT": 15, "IFLA_VXLAN_GROUP6": 16, "IFLA_VXLAN_LOCAL6": 17,
    "IFA_ADDRESS": 1, "IFA_LOCAL": 2,
    "RTA_DST": 1, "RTA_OIF": 4, "RTA_GATEWAY": 5, "RTA_PRIORITY": 6, "RTA_PREFSRC": 7, "RTA_TABLE": 15,
    "FRA_SRC": 2, "FRA_PRIORITY": 6, "FRA_TABLE": 15, "FRA_PROTOCOL": 21,
    "NDA_DST": 1, "NDA_LLADDR": 2,
}  # fmt: skip
_HARDWARE = frozenset({"IFLA_ADDRESS", "NDA_LLADDR"})
#: In the network's order of bytes, unlike all others.
_PORTS = frozenset({"IFLA_VXLAN_PORT"})


class Message:
    """One answer of the kernel: fixed fields by name, attributes by the kernel's names for them."""

    def __init__(self, kind: Kind | None, body: bytes) -> None:
        size = kind.form.size if kind else 0
        self._head = dict(zip(kind.fields, kind.form.unpack_from(body), strict=True)) if kind else {}
        self._attributes = dict(_split(body[size:]))

    def field(self, name: str) -> int:
        """A field of the fixed header."""
        return int(self._head[name])

    def number(self, name: str) -> int | None:
        """An attribute that is a number."""
        value = self._attributes.get(ATTRIBUTES[name])
        return None if value is None else int.from_bytes(value, "big" if name in _PORTS else "little")

    def text(self, name: str) -> str | None:
        """An attribute that is a string, or a hardware address."""
        value = self._attributes.get(ATTRIBUTES[name])
        if value is None:
            return None
        return value.hex(":") if name in _HARDWARE else value.rstrip(b"\0").decode(errors="replace")

    def address(self, name: str) -> Address | None:
        """An attribute that is an address."""
        value = self._attributes.get(ATTRIBUTES[name])
        if value is None:
            return None
        return IPv4Address(value) if len(value) == 4 else IPv6Address(value)

    def nested(self, name: str) -> "Message | None":
        """An attribute that holds others."""
        value = self._attributes.get(ATTRIBUTES[name])
        return None if value is None else Message(None, value)

    def raw(self, number: int) -> bytes | None:
        """An attribute as it came."""
        return self._attributes.get(number)

    def destination(self) -> Prefix:
        """The prefix that a route is for; without one it is the default route."""
        value = self._attributes.get(ATTRIBUTES["RTA_DST"])
        if value is None:
            return _DEFAULTS[self.version]
        length = self.field("dst_len")
        return IPv4Network((value, length)) if len(value) == 4 else IPv6Network((value, length))

    @property
    def version(self) -> int:
        """The address family, 4 or 6; 0 for any other."""
        return _VERSIONS.get(self.field("family"), 0)


def messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The messages in what was received at once: type, flags, sequence number and what follows the header."""
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, at)
        if length < HEADER.size:
            return
        yield kind, flags, sequence, data[at + HEADER.size : at + length]
        at += (length + 3) & ~3


def attribute(number: int, value: bytes) -> bytes:
    """One attribute, filled up to four bytes."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, number) + value + bytes(-length % 4)


def request(table: str, fields: Mapping[str, Any]) -> bytes:
    """The body of a request: fixed part and attributes; fields are named as in `_ENCODERS` and `Kind`."""
    kind = KINDS[table]
    head = {name: int(value) for name, value in fields.items() if name in kind.fields}
    attributes = b""
    for name, value in fields.items():
        if (encode := _ENCODERS.get((table, name))) is not None:
            more, data = encode(value)
            head |= more
            attributes += data
    return kind.head(head) + attributes + _link_info(fields)


def _split(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, number = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield number & _TYPE_MASK, data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3


_Encoded = tuple[Mapping[str, int], bytes]


def _number(name: str, size: int = 4) -> Any:
    return lambda value: ({}, attribute(ATTRIBUTES[name], int(value).to_bytes(size, "little")))


def _packed(*names: str) -> Any:
    return lambda value: ({}, b"".join(attribute(ATTRIBUTES[n], ip_address(value).packed) for n in names))


def _hardware(name: str) -> Any:
    return lambda value: ({}, attribute(ATTRIBUTES[name], bytes.fromhex(value.replace(":", ""))))


def _destination(value: str) -> _Encoded:
    prefix = ip_network(value)
    packed = attribute(ATTRIBUTES["RTA_DST"], prefix.network_address.packed)
    return {"dst_len": prefix.prefixlen}, packed if prefix.prefixlen else b""


def _table(name: str) -> Any:
    # The fixed part has a byte for it, which ours do not fit in.
    def encode(value: int) -> _Encoded:
        whole = attribute(ATTRIBUTES[name], value.to_bytes(4, "little"))
        return {"table": value if value < 256 else 0}, whole

    return encode


def _own_address(value: str) -> _Encoded:
    # IPv4 tells one's own address from the far end's; here they are one.
    names = ("IFA_LOCAL", "IFA_ADDRESS") if ip_address(value).version == 4 else ("IFA_ADDRESS",)
    encoded: _Encoded = _packed(*names)(value)
    return encoded


_IFF_UP = 1
_ENCODERS: dict[tuple[str, str], Any] = {
    ("link", "ifname"): lambda value: ({}, attribute(ATTRIBUTES["IFLA_IFNAME"], value.encode() + b"\0")),
    ("link", "address"): _hardware("IFLA_ADDRESS"),
    ("link", "mtu"): _number("IFLA_MTU"),
    ("link", "state"): lambda value: ({"flags": _IFF_UP if value == "up" else 0, "change": _IFF_UP}, b""),
    ("addr", "address"): _own_address,
    ("route", "dst"): _destination,
    ("route", "oif"): _number("RTA_OIF"),
    ("route", "gateway"): _packed("RTA_GATEWAY"),
    ("route", "priority"): _number("RTA_PRIORITY"),
    ("route", "prefsrc"): _packed("RTA_PREFSRC"),
    ("route", "table"): _table("RTA_TABLE"),
    ("rule", "src"): _packed("FRA_SRC"),
    ("rule", "priority"): _number("FRA_PRIORITY"),
    ("rule", "table"): _table("FRA_TABLE"),
    ("rule", "protocol"): _number("FRA_PROTOCOL", 1),
    ("neigh", "dst"): _packed("NDA_DST"),
    ("neigh", "lladdr"): _hardware("NDA_LLADDR"),
}


def _port(value: int) -> bytes:
    return value.to_bytes(2, "big")


#: What a link of some kind is made of.
_DETAILS: dict[str, Any] = {
    "xfrm_if_id": ("IFLA_XFRM_IF_ID", lambda value: value.to_bytes(4, "little")),
    "vxlan_id": ("IFLA_VXLAN_ID", lambda value: value.to_bytes(4, "little")),
    "vxlan_local": ("IFLA_VXLAN_LOCAL", lambda value: ip_address(value).packed),
    "vxlan_local6": ("IFLA_VXLAN_LOCAL6", lambda value: ip_address(value).packed),
    "vxlan_group": ("IFLA_VXLAN_GROUP", lambda value: ip_address(value).packed),
    "vxlan_group6": ("IFLA_VXLAN_GROUP6", lambda value: ip_address(value).packed),
    "vxlan_port": ("IFLA_VXLAN_PORT", _port),
    "vxlan_port_range": ("IFLA_VXLAN_PORT_RANGE", lambda value: _port(value["low"]) + _port(value["high"])),
    "vxlan_learning": ("IFLA_VXLAN_LEARNING", lambda value: bytes([value])),
}


def _link_info(fields: Mapping[str, Any]) -> bytes:
    kind = fields.get("kind")
    if kind is None:
        return b""
    details = b"".join(
        attribute(ATTRIBUTES[name], encode(fields[field]))
        for field, (name, encode) in _DETAILS.items()
        if field in fields
    )
    info = attribute(ATTRIBUTES["IFLA_INFO_KIND"], str(kind).encode() + b"\0")
    if details:
        info += attribute(ATTRIBUTES["IFLA_INFO_DATA"], details)
    return attribute(ATTRIBUTES["IFLA_LINKINFO"], info)
