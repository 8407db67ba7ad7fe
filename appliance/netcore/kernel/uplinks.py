# SPDX-License-Identifier: Apache-2.0
"""The host's own ports and its way out, read only: what a check of the uplink looks at."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from appliance.netcore.kernel.netlink_messages import Message
from appliance.netcore.kernel.rtnetlink import Netlink
from appliance.netcore.plan.values import Address
from appliance.netcore.spec import HOLDER, OWN_TABLE, PRIORITY, TABLE, TUNNEL_PREFIX

_UP, _LOOPBACK, _CARRIER = 0x1, 0x8, 0x10000  # netdevice(7): IFF_UP, IFF_LOOPBACK, IFF_LOWER_UP
_MAIN_TABLE = 254
_LOCAL_TABLE = 255
_SCOPE_LINK = 253
#: What no cable or radio is behind.
_INNER_KINDS = frozenset(
    {"bridge", "dummy", "xfrm", "vxlan", "sit", "gre", "gretap", "ip6tnl", "ip6gre", "ipip", "vti", "vti6",
     "ifb", "wireguard", "ip6_vti", "erspan", "nlmon"}
)  # fmt: skip


@dataclass(frozen=True)
class Port:
    """A port of the host towards others. `carrier`: something is at its far end."""

    name: str
    up: bool
    carrier: bool
    mtu: int
    mac: str
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()


@dataclass(frozen=True)
class Gateway:
    """A default route; `address` is None on a point-to-point link."""

    link: str
    address: Address | None
    metric: int = 0


@dataclass(frozen=True)
class Way:
    """Where the kernel would send a packet."""

    device: str
    source: Address | None
    gateway: Address | None


@dataclass(frozen=True)
class OtherRule:
    """A routing rule of another program that is looked at before ours."""

    version: int
    priority: int
    table: int

    def __str__(self) -> str:
        return f"IPv{self.version} rule {self.priority} to table {self.table}"


class UplinkDoor:
    """Reads links, addresses, default routes, neighbours and rules. All methods raise `DoorError`."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink

    async def ports(self, without: Iterable[str] = ()) -> tuple[Port, ...]:
        """The ports of the host, but ours, inner ones, those `without`, and what is plugged into such."""
        links = await self._netlink.dump("link")
        names = {link.field("index"): link.text("IFLA_IFNAME") or "" for link in links}
        hidden = {*without, HOLDER}
        addresses: dict[int, list[IPv4Interface | IPv6Interface]] = {}
        for message in await self._netlink.dump("addr"):
            address = message.address("IFA_LOCAL") or message.address("IFA_ADDRESS")
            if address is not None and message.field("scope") < _SCOPE_LINK:
                interface = ip_interface(f"{address}/{message.field('prefixlen')}")
                addresses.setdefault(message.field("index"), []).append(interface)
        found = [
            _port(link, tuple(addresses.get(link.field("index"), ())))
            for link in links
            if _is_port(link, names, hidden)
        ]
        return tuple(sorted(found, key=lambda port: port.name))

    async def gateways(self) -> tuple[Gateway, ...]:
        """The default routes of the main table, the preferred ones first."""
        names = {m.field("index"): m.text("IFLA_IFNAME") or "" for m in await self._netlink.dump("link")}
        found = [
            Gateway(
                names.get(m.number("RTA_OIF") or 0, ""),
                m.address("RTA_GATEWAY"),
                m.number("RTA_PRIORITY") or 0,
            )
            for version in (4, 6)
            for m in await self._netlink.dump("route", version, of=_MAIN_TABLE)
            if m.number("RTA_TABLE") == _MAIN_TABLE
            and m.field("dst_len") == 0
            and m.field("type") == 1
            and m.address("RTA_DST") is None
        ]
        return tuple(sorted((one for one in found if one.link), key=lambda one: one.metric))

    async def way(self, towards: Address) -> Way | None:
        """The route of a packet to `towards` from this host; None if there is none."""
        answer = await self._netlink.lookup(towards)
        if answer is None or answer.field("type") not in (1, 2):
            return None
        names = {m.field("index"): m.text("IFLA_IFNAME") or "" for m in await self._netlink.dump("link")}
        return Way(
            device=names.get(answer.number("RTA_OIF") or 0, ""),
            source=answer.address("RTA_PREFSRC"),
            gateway=answer.address("RTA_GATEWAY"),
        )

    async def rules_before_ours(self) -> tuple[OtherRule, ...]:
        """Rules of others with a lower number than ours, but the kernel's own for local addresses."""
        found = [
            OtherRule(version, message.number("FRA_PRIORITY") or 0, message.number("FRA_TABLE") or 0)
            for version in (4, 6)
            for message in await self._netlink.dump("rule", version)
        ]
        return tuple(
            rule
            for rule in found
            if rule.priority < PRIORITY and rule.table not in (_LOCAL_TABLE, TABLE, OWN_TABLE)
        )


def _is_port(link: Message, names: dict[int, str], hidden: set[str]) -> bool:
    name = link.text("IFLA_IFNAME") or ""
    info = link.nested("IFLA_LINKINFO")
    kind = (info.text("IFLA_INFO_KIND") if info else None) or ""
    master = names.get(link.number("IFLA_MASTER") or 0, "")
    ours = name in hidden or master in hidden or name.startswith(TUNNEL_PREFIX)
    return not (ours or link.field("flags") & _LOOPBACK or kind in _INNER_KINDS)


def _port(link: Message, addresses: tuple[IPv4Interface | IPv6Interface, ...]) -> Port:
    flags = link.field("flags")
    return Port(
        name=link.text("IFLA_IFNAME") or "",
        up=bool(flags & _UP),
        carrier=bool(flags & _CARRIER),
        mtu=link.number("IFLA_MTU") or 0,
        mac=link.text("IFLA_ADDRESS") or "",
        addresses=addresses,
    )
