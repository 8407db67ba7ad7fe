# SPDX-License-Identifier: Apache-2.0
"""Netlink's messages (netlink(7), rtnetlink(7)) as pyroute2 writes and reads them. Pure.

pyroute2 ends here: what goes in are fields by rtnetlink's names, what comes out are bytes and the values of a
plan. Of the library we use what knows the messages; its sockets bring a third more into the daemon's memory.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from socket import AF_INET, AF_INET6
from typing import Any

from pyroute2.netlink import NLMSG_DONE, NLMSG_ERROR, nlmsgerr
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES, nfgen_msg
from pyroute2.netlink.rtnl import (
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    RTM_NEWRULE,
    rt_type,
)
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import IFF_UP, ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from appliance.netcore.plan.values import Address, Prefix

#: Of every message: length, type, flags, sequence number, port.
HEADER = struct.Struct("=IHHII")

FAMILIES = {4: int(AF_INET), 6: int(AF_INET6)}
_VERSIONS = {number: version for version, number in FAMILIES.items()}
_DEFAULTS: dict[int, Prefix] = {4: IPv4Network((0, 0)), 6: IPv6Network((0, 0))}


class _Generation(nfgen_msg):  # type: ignore[misc]  # pyroute2 has no types
    """nftables' number of its own state (linux/netfilter/nf_tables.h, NFT_MSG_NEWGEN)."""

    nla_map = (("NFTA_GEN_UNSPEC", "none"), ("NFTA_GEN_ID", "be32"))


@dataclass(frozen=True)
class Kind:
    """The messages about one table of the kernel: the class for them, and the type that stands for each."""

    form: Any
    new: int
    delete: int
    get: int


def _of_rtnetlink(form: Any, new: int) -> Kind:
    # Everywhere in rtnetlink the next numbers stand for "delete" and "get".
    return Kind(form, new, new + 1, new + 2)


_NFT = NFNL_SUBSYS_NFTABLES << 8
KINDS = {
    "link": _of_rtnetlink(ifinfmsg, RTM_NEWLINK),
    "addr": _of_rtnetlink(ifaddrmsg, RTM_NEWADDR),
    "route": _of_rtnetlink(rtmsg, RTM_NEWROUTE),
    "neigh": _of_rtnetlink(ndmsg, RTM_NEWNEIGH),
    "rule": _of_rtnetlink(fibmsg, RTM_NEWRULE),
    "nftables": Kind(_Generation, _NFT | 15, 0, _NFT | 16),
}


class Message:
    """One answer of the kernel: fixed fields by name, attributes by the kernel's names for them."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw

    def field(self, name: str) -> int:
        """A field of the fixed header."""
        return int(self._raw[name])

    def number(self, name: str) -> int | None:
        """An attribute that is a number."""
        value = self._attribute(name)
        return None if value is None else int(value)

    def text(self, name: str) -> str | None:
        """An attribute that is a string, or a hardware address."""
        value = self._attribute(name)
        return None if value is None else str(value)

    def address(self, name: str) -> Address | None:
        """An attribute that is an address."""
        value = self._attribute(name)
        return None if value is None else ip_address(value)

    def nested(self, name: str) -> "Message | None":
        """An attribute that holds others."""
        value = self._attribute(name)
        return Message(value) if isinstance(value, Mapping) else None

    def destination(self) -> Prefix:
        """The prefix that a route is for; without one it is the default route."""
        address = self.text("RTA_DST")
        if address is None:
            return _DEFAULTS[self.version]
        return ip_network((address, self.field("dst_len")))

    @property
    def version(self) -> int:
        """The address family, 4 or 6; 0 for any other."""
        return _VERSIONS.get(self.field("family"), 0)

    def _attribute(self, name: str) -> Any:
        # A slot reads its value when it is asked for that, and most are not.
        return next((slot[1] for slot in self._raw["attrs"] if slot[0] == name), None)


@dataclass(frozen=True)
class Answer:
    """One message as it came, header and all."""

    type: int
    flags: int
    sequence: int
    data: bytes

    @property
    def is_end(self) -> bool:
        """Whether nothing follows it: an error, an acknowledgement, or the end of a dump."""
        return self.type in (NLMSG_ERROR, NLMSG_DONE)

    def error(self) -> tuple[int, str]:
        """For an end: the errno, 0 for none, and what the kernel says beyond, which mostly is nothing."""
        if len(self.data) < HEADER.size + 4:
            return 0, ""
        said = read(nlmsgerr, self.data)
        return abs(said.field("error")), said.text("NLMSGERR_ATTR_MSG") or ""


def answers(data: bytes) -> Iterator[Answer]:
    """The messages in what was received at once."""
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, at)
        if length < HEADER.size:
            return
        yield Answer(kind, flags, sequence, data[at : at + length])
        at += (length + 3) & ~3


def read(form: Any, data: bytes) -> Message:
    """A whole message of one of pyroute2's classes."""
    message = form(data=data)
    message.decode()
    return Message(message)


def request(table: str, kind: int, flags: int, sequence: int, fields: Mapping[str, Any]) -> bytes:
    """A whole message; fields are the fixed ones, and attributes by their names in small letters."""
    message = KINDS[table].form()
    fixed = {name for name, _ in message.fields}
    for name, value in _SPELLED.get(table, dict)(fields).items():
        if name in fixed:
            message[name] = value
        if name not in fixed or name == "table":
            message["attrs"].append((message.name2nla(name), value))
    # The fixed part has a byte for the routing table, which ours do not fit in; the attribute has all of it.
    if message.get("table", 0) > 255:
        message["table"] = 0
    message["header"].update(type=kind, flags=flags, sequence_number=sequence)
    message.encode()
    return bytes(message.data)


def _route(fields: Mapping[str, Any]) -> dict[str, Any]:
    spelled = dict(fields)
    if isinstance(name := spelled.get("type"), str):
        spelled["type"] = rt_type[name]
    if "dst" in spelled:
        prefix = ip_network(spelled.pop("dst"))
        spelled["dst_len"] = prefix.prefixlen
        if prefix.prefixlen:
            spelled["dst"] = str(prefix.network_address)
    return spelled


def _addr(fields: Mapping[str, Any]) -> dict[str, Any]:
    # IPv4 tells one's own address from the far end's; here they are one.
    both = "address" in fields and ip_address(fields["address"]).version == 4
    return {"local": fields["address"], **fields} if both else dict(fields)


def _link(fields: Mapping[str, Any]) -> dict[str, Any]:
    spelled = dict(fields)
    if (state := spelled.pop("state", None)) is not None:
        spelled |= {"flags": IFF_UP if state == "up" else 0, "change": IFF_UP}
    if (kind := spelled.pop("kind", None)) is not None:
        details = {name: spelled.pop(name) for name in list(spelled) if name.startswith(f"{kind}_")}
        info: list[tuple[str, Any]] = [("IFLA_INFO_KIND", kind)]
        if details:
            attributes = [(f"IFLA_{name.upper()}", value) for name, value in details.items()]
            info.append(("IFLA_INFO_DATA", {"attrs": attributes}))
        spelled["linkinfo"] = {"attrs": info}
    return spelled


#: What the kernel wants said in other words, by table.
_SPELLED = {"route": _route, "addr": _addr, "link": _link}
