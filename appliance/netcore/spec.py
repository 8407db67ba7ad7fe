# SPDX-License-Identifier: Apache-2.0
"""The objects of the kernel's tables as values: what is wished for, what a door reads and writes.

Pure, and below both `desired` and `kernel`, so that neither has to know the other.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from appliance.netcore.plan.values import Address, Prefix

#: Our route table, the priority of the rule that leads to it, and the mark on every route and rule of ours.
TABLE = 7410
PRIORITY = 7410
PROTOCOL = 174
#: The same for what the device itself says from its overlay address, looked at before the other table.
OWN_TABLE = 7409
#: charon's own table and rule. Its rule never matches; both are ours to purge.
CHARON_TABLE = 7411

#: Ours to keep beside local links, before what leads away, before what catches the rest.
METRIC_THROW = 50
METRIC_FORWARD = 100
METRIC_UNREACHABLE = 4_000_000

#: The link that holds the addresses of this device that no cable has.
HOLDER = "orillo0"
#: How the names of our XFRM interfaces and VXLAN links begin.
TUNNEL_PREFIX = "orillo-"

#: On a VXLAN link of ours there is one neighbour. It has these addresses on every such link, in each family,
#: and an entry for each that never has to be asked for.
NEXT_HOPS: dict[int, Address] = {4: IPv4Address("169.254.0.1"), 6: IPv6Address("fe80::1")}


class Ipsec(StrEnum):
    """How charon on this box does ESP."""

    KERNEL = "kernel"
    LIBIPSEC = "libipsec"


@dataclass(frozen=True)
class Capability:
    """What the kernel can do for ESP, and why not more, in its own words."""

    ipsec: Ipsec
    reason: str


class LinkKind(StrEnum):
    """`HOLDER` carries addresses and no traffic (a dummy, or an empty bridge where there are no dummies)."""

    HOLDER = "holder"
    XFRM = "xfrm"
    VXLAN = "vxlan"


@dataclass(frozen=True)
class Vxlan:
    """What a point-to-point VXLAN link (RFC 7348) is made of; `hardware` is its own hardware address."""

    network: int
    local: Address
    remote: Address
    port: int
    hardware: str


@dataclass(frozen=True)
class Link:
    """A link of ours, under its name. `addresses` are host addresses; no `mtu` leaves it as it is.

    `neighbour` is the hardware address of both `NEXT_HOPS`, on a VXLAN link.
    """

    kind: LinkKind
    addresses: AbstractSet[Address] = frozenset()
    if_id: int | None = None
    mtu: int | None = None
    up: bool = True
    vxlan: Vxlan | None = None
    neighbour: str | None = None


class RouteKind(StrEnum):
    """What a route does: send, refuse, drop without a word, or leave it to the tables after ours."""

    UNICAST = "unicast"
    UNREACHABLE = "unreachable"
    BLACKHOLE = "blackhole"
    THROW = "throw"


class RouteKey(NamedTuple):
    """What the kernel tells two routes of one table apart by."""

    dst: Prefix
    metric: int
    table: int = TABLE

    def __str__(self) -> str:
        where = "" if self.table == TABLE else f" table {self.table}"
        return f"{self.dst} metric {self.metric}{where}"


@dataclass(frozen=True)
class Route:
    """A route of ours.

    `device` is None where a gateway decides it, and where nothing is sent. A gateway of `NEXT_HOPS` needs
    one.
    """

    dst: Prefix
    kind: RouteKind
    metric: int
    gateway: Address | None = None
    device: str | None = None
    source: Address | None = None
    table: int = TABLE

    @property
    def key(self) -> RouteKey:
        return RouteKey(self.dst, self.metric, self.table)


class RuleKey(NamedTuple):
    """`version` is the address family, 4 or 6."""

    version: int
    priority: int

    def __str__(self) -> str:
        return f"IPv{self.version} rule {self.priority}"


@dataclass(frozen=True)
class Rule:
    """Packets of one family are looked up in `table`, before the rules of higher priority numbers.

    All of them, or those from one `source`.
    """

    version: int
    priority: int = PRIORITY
    table: int = TABLE
    source: Address | None = None

    @property
    def key(self) -> RuleKey:
        return RuleKey(self.version, self.priority)


@dataclass(frozen=True)
class Connected:
    """A prefix that is reached on a link itself, and that link."""

    prefix: Prefix
    device: str


@dataclass(frozen=True)
class File:
    """A file of ours, under its path."""

    data: bytes
    mode: int = 0o644
