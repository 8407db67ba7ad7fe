# SPDX-License-Identifier: Apache-2.0
"""A site as most of them are: a device in a LAN behind a router, and a weak link to the internet."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from tests.lab.topology import Address, End, Host, HostRole, Link, Nat, NatKind, Route

#: Where sites are attached: a router of this name, with one /30 of this network (RFC 5737) for each site.
INTERNET = "inet"
ACCESS = IPv4Network("198.51.100.0/24")
#: Every site behind a router has the same LAN, as cheap routers come out of the box.
LAN = IPv4Network("192.168.1.0/24")
ROUTER_IN_LAN = LAN[1]
DEVICE_IN_LAN = LAN[10]
#: Between a site's router and its carrier (RFC 6598).
_CARRIER = IPv4Network("100.64.0.0/24")


@dataclass(frozen=True)
class Site:
    """What a site adds to a topology. `outside` is the address that the internet sees it under."""

    hosts: tuple[Host, ...]
    links: tuple[Link, ...]
    nats: tuple[Nat, ...]
    outside: IPv4Address


def site(device: str, number: int, nat: NatKind, resolvers: tuple[Address, ...]) -> Site:
    """The site of `device` on the access network's `number`-th /30."""
    access = list(ACCESS.subnets(new_prefix=30))[number]
    inner, outer = access[2], access[1]
    if nat is NatKind.NONE:
        link = _wan(device, "uplink", inner, outer, device)
        return Site((_host(device, HostRole.DEVICE, outer, resolvers),), (link,), (), inner)
    router = f"router-{device}"
    home = (
        _host(device, HostRole.DEVICE, ROUTER_IN_LAN, resolvers),
        _cable(End(device, "uplink", _on(DEVICE_IN_LAN, 24)), End(router, "lan", _on(ROUTER_IN_LAN, 24))),
    )
    if nat is not NatKind.DOUBLE:
        wan = _wan(router, "wan", inner, outer, device)
        gateway = _host(router, HostRole.ROUTER, outer, resolvers)
        return Site((home[0], gateway), (home[1], wan), (Nat(router, "wan", nat),), inner)
    carrier = f"carrier-{device}"
    hosts = (
        home[0],
        _host(router, HostRole.ROUTER, _CARRIER[1], resolvers),
        _host(carrier, HostRole.ROUTER, outer, resolvers),
    )
    middle = _cable(End(router, "wan", _on(_CARRIER[2], 24)), End(carrier, "homes", _on(_CARRIER[1], 24)))
    return Site(
        hosts,
        (home[1], middle, _wan(carrier, "wan", inner, outer, device)),
        (Nat(router, "wan"), Nat(carrier, "wan")),
        inner,
    )


def _host(name: str, role: HostRole, gateway: Address, resolvers: tuple[Address, ...]) -> Host:
    return Host(name, role, routes=(Route(gateway),), resolvers=resolvers)


def _cable(a: End, b: End) -> Link:
    return Link(a, b)


def _wan(host: str, interface: str, inner: IPv4Address, outer: IPv4Address, device: str) -> Link:
    """The weak link: to the internet, through the relay."""
    return Link(
        End(host, interface, _on(inner, 30)), End(INTERNET, f"to-{device}", _on(outer, 30)), relayed=True
    )


def _on(address: IPv4Address, length: int) -> tuple[IPv4Interface, ...]:
    return (IPv4Interface((address, length)),)
