# SPDX-License-Identifier: Apache-2.0
"""A topology as data: hosts, links between them, and who translates addresses. It does nothing by itself."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

Interface = IPv4Interface | IPv6Interface
Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network


class HostRole(StrEnum):
    """What a host of the lab is there for."""

    ROUTER = "router"  # forwards from the start; no part of the product
    OPERATOR = "operator"  # runs `orillo-cloud serve`
    HOST = "host"  # any other machine of a site
    DEVICE = "device"  # runs the appliance; as a fresh Debian, it forwards nothing


class NatKind(StrEnum):
    """How a site's way out translates addresses; nft(8), "NAT statements", has the flags."""

    NONE = "none"
    MASQUERADE = "masquerade"
    RANDOM = "random"
    FULLY_RANDOM = "fully-random"
    PERSISTENT = "persistent"
    DOUBLE = "double"  # by two routers in a row, the second one a carrier's; `sites.py` makes them


@dataclass(frozen=True)
class Route:
    """A route of the host's own; no prefix stands for the default route."""

    via: Address
    prefix: Prefix | None = None


@dataclass(frozen=True)
class Host:
    """One namespace. `resolvers` go into its resolv.conf; `bridges` are made before its links."""

    name: str
    role: HostRole
    routes: tuple[Route, ...] = ()
    resolvers: tuple[Address, ...] = ()
    bridges: tuple[str, ...] = ()


@dataclass(frozen=True)
class End:
    """One end of a link: an interface of a host, with its addresses, or put into a bridge of that host."""

    host: str
    interface: str
    addresses: tuple[Interface, ...] = ()
    bridge: str | None = None


@dataclass(frozen=True)
class Link:
    """A cable. A relayed one can get delay, jitter, loss and a rate while it runs; any one can be cut."""

    a: End
    b: End
    relayed: bool = False

    def end(self, host: str) -> End:
        """The end at `host`."""
        return self.a if self.a.host == host else self.b


@dataclass(frozen=True)
class Nat:
    """A router that translates the source of what leaves it by `outside`."""

    host: str
    outside: str
    kind: NatKind = NatKind.MASQUERADE


@dataclass(frozen=True)
class Topology:
    """Everything that `Namespaces` builds. Addresses on a bridge stand in `bridge_addresses`."""

    hosts: tuple[Host, ...]
    links: tuple[Link, ...]
    nats: tuple[Nat, ...] = ()
    bridge_addresses: tuple[End, ...] = ()

    def host(self, name: str) -> Host:
        return next(host for host in self.hosts if host.name == name)

    def links_of(self, host: str) -> tuple[Link, ...]:
        return tuple(link for link in self.links if host in (link.a.host, link.b.host))

    def link(self, host: str, interface: str) -> Link:
        """The link that ends at this interface of this host."""
        for link in self.links_of(host):
            end = link.end(host)
            if (end.host, end.interface) == (host, interface):
                return link
        raise KeyError(f"{host} has no link at {interface}")
