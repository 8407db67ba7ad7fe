# SPDX-License-Identifier: Apache-2.0
"""The demo's hosts and links.

    operator, connector-1, connector-2 ── public ──┐
          │         │           │                 inet ══ router-shop1 ── shop1   (192.168.1.10)
          └──────── cloud LAN ──┴── worker-1       ╟═════ router-shop2 ── shop2   (192.168.1.10 too)
                    (router: cloud) ── public ─────╢
                                                   ╚═════ depot ── LAN ── till    (a public address)

Double lines run through a relay. Addresses are those for documentation (RFC 5737) and private ones.
"""

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_network

from tests.lab.sites import INTERNET, site
from tests.lab.topology import (
    Address,
    End,
    Host,
    HostRole,
    Link,
    Nat,
    NatKind,
    Prefix,
    Route,
    Topology,
)

CLUSTER = "demo"
DOMAIN = "cluster.local"

CONNECTORS = ("connector-1", "connector-2")
WORKER = "worker-1"
EDGES = ("shop1", "shop2", "depot")
DEVICES = (*CONNECTORS, WORKER, *EDGES)
COMMUNITY = "shops"

#: What the operator allots from; none of it may ever be seen on the internet.
POD_POOL = ("10.200.0.0/16", "fd00:200::/48")
OVERLAY_POOL = ("10.255.0.0/16", "fd00:255::/64")
SERVICE_RANGE = ("10.96.0.0/16", "fd00:96::/112")
FABRIC: tuple[Prefix, ...] = tuple(ip_network(text) for text in (*POD_POOL, *OVERLAY_POOL, *SERVICE_RANGE))

NAME_SERVER = IPv4Address("198.51.100.53")
#: A name for documentation (RFC 2606). Not one below `.test`: a resolver answers those by itself (RFC 6761).
OUTSIDE_ZONE = "example.org"
OUTSIDE_NAME = f"www.{OUTSIDE_ZONE}"
OUTSIDE_ADDRESSES: tuple[Address, ...] = (ip_address("192.0.2.80"), ip_address("2001:db8::80"))
CACHE = IPv4Address("169.254.20.10")

SERVICE = "web"
SERVICE_NAME = f"{SERVICE}.default.svc.{DOMAIN}"
SERVICE_PORT = 80
SERVICE_ADDRESSES: tuple[Address, ...] = (ip_address("10.96.0.80"), ip_address("fd00:96::80"))

#: A service whose backends are at the depot and in the cloud.
STOCK = "stock"
STOCK_ADDRESSES: tuple[Address, ...] = (ip_address("10.96.0.81"), ip_address("fd00:96::81"))
#: The depot's LAN, which is in the fabric, and a machine in it.
DEPOT_LAN = IPv4Interface("192.168.77.1/24")
DEPOT_IN_LAN = DEPOT_LAN.ip
TILL = IPv4Address("192.168.77.50")
TILL_HOST = "till"

_GATEWAY = IPv4Address("203.0.113.1")
_CLOUD_GATEWAY = IPv4Address("10.0.0.1")
_RESOLVERS = (NAME_SERVER,)

PUBLIC = {
    "cloud": IPv4Address("203.0.113.2"),
    "operator": IPv4Address("203.0.113.10"),
    "connector-1": IPv4Address("203.0.113.11"),
    "connector-2": IPv4Address("203.0.113.12"),
}
UNDERLAY: dict[str, tuple[IPv4Address, IPv6Address]] = {
    name: (IPv4Address(f"10.0.0.{number}"), IPv6Address(f"fd10::{number}"))
    for name, number in (
        ("cloud", 1),
        ("operator", 10),
        ("connector-1", 11),
        ("connector-2", 12),
        (WORKER, 21),
    )
}
_SITES = {
    "shop1": site("shop1", 1, NatKind.MASQUERADE, _RESOLVERS),
    "shop2": site("shop2", 2, NatKind.MASQUERADE, _RESOLVERS),
    "depot": site("depot", 3, NatKind.NONE, _RESOLVERS),
}
#: The address that the internet sees each edge under.
OUTSIDE = {name: place.outside for name, place in _SITES.items()}


def weak_link(edge: str) -> Link:
    """The edge's relayed link to the internet."""
    return next(link for link in _SITES[edge].links if link.relayed)


def topology() -> Topology:
    """All of it."""
    cloud_hosts = [_public_host("operator", HostRole.OPERATOR)]
    cloud_hosts += [_public_host(name, HostRole.DEVICE) for name in CONNECTORS]
    return Topology(
        hosts=(
            Host(INTERNET, HostRole.ROUTER, bridges=("dc",)),
            Host("cloud", HostRole.ROUTER, (Route(_GATEWAY),), _RESOLVERS, bridges=("lan",)),
            *cloud_hosts,
            Host(WORKER, HostRole.DEVICE, (Route(_CLOUD_GATEWAY),), _RESOLVERS),
            *(host for place in _SITES.values() for host in place.hosts),
            Host(TILL_HOST, HostRole.HOST),
        ),
        links=(
            *(_public_link(name) for name in PUBLIC),
            *(_lan_link(name) for name in UNDERLAY if name != "cloud"),
            *(link for place in _SITES.values() for link in place.links),
            Link(End("depot", "lan", (DEPOT_LAN,)), End(TILL_HOST, "lan", (IPv4Interface(f"{TILL}/24"),))),
        ),
        nats=(
            Nat("cloud", "public"),
            *(translation for place in _SITES.values() for translation in place.nats),
        ),
        bridge_addresses=(
            End(INTERNET, "dc", (IPv4Interface(f"{_GATEWAY}/24"),)),
            End(INTERNET, "lo", (IPv4Interface(f"{NAME_SERVER}/32"),)),
            End("cloud", "lan", _underlay("cloud")),
        ),
    )


def _public_host(name: str, role: HostRole) -> Host:
    return Host(name, role, (Route(_GATEWAY),), _RESOLVERS)


def _public_link(name: str) -> Link:
    address = IPv4Interface(f"{PUBLIC[name]}/24")
    return Link(End(name, "public", (address,)), End(INTERNET, f"p-{name}", bridge="dc"))


def _lan_link(name: str) -> Link:
    return Link(End(name, "lan", _underlay(name)), End("cloud", f"l-{name}", bridge="lan"))


def _underlay(name: str) -> tuple[IPv4Interface, IPv6Interface]:
    v4, v6 = UNDERLAY[name]
    return IPv4Interface(f"{v4}/24"), IPv6Interface(f"{v6}/64")
