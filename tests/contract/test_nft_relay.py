# SPDX-License-Identifier: Apache-2.0
"""What a connector's firewall does to real packets: edges behind one link, connectors behind others."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import msgspec
import pytest

from appliance.netcore.desired.facts import Facts, Ipsec
from appliance.netcore.desired.firewall import firewall
from appliance.netcore.desired.relays import PORT, relays
from appliance.netcore.kernel.nft import NftTable
from appliance.netcore.plan.identity import Identity, Place
from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.plan.values import Path, Role
from tests.contract.gateway import Gateway, add, gateway, serving, settle
from tests.contract.namespace import ip
from tests.unit.plan.plans import edge_plan

pytestmark = pytest.mark.lab

BOTH = pytest.mark.parametrize("family", [0, 1], ids=["v4", "v6"])
HUB = "connector-1"
#: A pod of each edge. Far has its tunnel with the second connector, farther with the third.
PODS = {
    name: (f"10.200.{number}.5", f"fd00:200:0:{number}::5")
    for number, name in enumerate(("shop1", "depot", "far", "farther"), 1)
}
OTHER_HUB = ("10.200.12.5", "fd00:200:0:12::5")
UNKNOWN = ("10.200.99.5", "fd00:200:0:99::5")
OUTSIDE = ("198.51.100.5", "2001:db8::5")
OWNERS = {"shop1": HUB, "depot": HUB, "far": "connector-2", "farther": "connector-3"}
#: Overlay addresses: the connector's own, and the second one's.
OWN_OVERLAY = ("10.255.0.11", "fd00:255::11")
HUB_OVERLAY = ("10.255.0.12", "fd00:255::12")

_DATAGRAM = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as sender:
    sender.bind((sys.argv[2], 0))
    sender.sendto(sys.argv[3].encode(), (sys.argv[1], int(sys.argv[4])))
"""


def plan() -> Plan:
    """The plan of connector-1."""
    return msgspec.structs.replace(
        edge_plan(),
        identity=Identity(cluster="lab", name=HUB, instance="11111111"),
        place=Place(role=Role.CONNECTOR, site="cloud"),
        prefixes=(ip_network("10.200.11.0/24"), ip_network("fd00:200:0:11::/64")),
        overlay=tuple(map(ip_address, OWN_OVERLAY)),
        groups=("cloud",),
        services={},
        peers={
            **{name: _edge(number, name) for number, name in enumerate(PODS, 1)},
            "connector-2": msgspec.structs.replace(edge_plan().peers["connector-2"], priority=None),
            "connector-3": _third_connector(),
        },
    )


def _third_connector() -> Peer:
    return Peer(
        role=Role.CONNECTOR,
        ike_id="00000013.connector-3.lab",
        overlay=(ip_address("10.255.0.13"), ip_address("fd00:255::13")),
        groups=("cloud",),
    )


def _edge(number: int, name: str) -> Peer:
    return Peer(
        role=Role.EDGE,
        ike_id=f"{name}.lab",
        overlay=(ip_address(f"10.255.0.{number}"), ip_address(f"fd00:255::{number}")),
        prefixes=(ip_network(f"10.200.{number}.0/24"), ip_network(f"fd00:200:0:{number}::/64")),
        groups=("edge",) if name == "depot" else ("edge", "community:shops"),
        paths=(Path.HUB,),
    )


def put(owners: dict[str, str], ipsec: Ipsec | None = Ipsec.KERNEL) -> None:
    """In this thread, whose namespace is the connector's."""
    asyncio.run(NftTable().replace(firewall(plan(), Facts(ipsec=ipsec, owners=owners))))


@pytest.fixture(scope="module")
def hub() -> Iterator[Gateway]:
    """Edges behind `orillo-edges`, connectors behind the links to them, and `orillo-mesh`, which carries
    those links.
    """
    second, third = (relay.name for relay in relays(plan()).values())
    with gateway() as hub:
        ip(f"addr add {OWN_OVERLAY[0]} dev lo")
        ip(f"addr add {OWN_OVERLAY[1]} dev lo nodad")
        here = (*PODS["shop1"], *PODS["depot"], *UNKNOWN, *HUB_OVERLAY)
        _behind(hub, "here", "orillo-edges", 0, here)
        _behind(hub, "second", second, 1, (*PODS["far"], *OTHER_HUB, *HUB_OVERLAY))
        _behind(hub, "third", third, 2, PODS["farther"])
        _behind(hub, "mesh", "orillo-mesh", 3, (*HUB_OVERLAY, "10.255.0.1", "fd00:255::1"))
        add(hub, "outside", "eth0", ("198.51.100.1/24", "2001:db8::1/64"), _with_lengths(OUTSIDE))
        gates = {"far": 1, "other": 1, "farther": 2}
        for name, (four, six) in {**PODS, "other": OTHER_HUB}.items():
            number = gates.get(name, 0)
            ip(f"route add {four} via 172.31.{number}.2")
            ip(f"-6 route add {six} via fd09:{number}::2")
        settle()
        with serving(*hub.neighbours.values()):
            yield hub


def _behind(hub: Gateway, name: str, link: str, number: int, addresses: tuple[str, ...]) -> None:
    gate = (f"172.31.{number}.1/30", f"fd09:{number}::1/126")
    add(hub, name, link, gate, (f"172.31.{number}.2/30", f"fd09:{number}::2/126", *addresses))


def _with_lengths(addresses: tuple[str, str]) -> tuple[str, str]:
    return f"{addresses[0]}/24", f"{addresses[1]}/64"


@BOTH
def test_members_of_a_community_are_relayed_and_others_are_not(hub: Gateway, family: int) -> None:
    here = hub.neighbours["here"]
    put(OWNERS)
    assert here.connect(PODS["far"][family], source=PODS["shop1"][family]).split()[0] == "second"
    assert here.connect(PODS["far"][family], source=PODS["depot"][family]) == "silence"
    assert here.connect(PODS["far"][family], source=UNKNOWN[family]) == "silence"
    assert here.connect(OTHER_HUB[family], source=PODS["depot"][family]).split()[0] == "second"


@BOTH
def test_what_came_from_a_connector_goes_to_edges_and_to_no_other_connector(
    hub: Gateway, family: int
) -> None:
    """Also where all of them may talk to each other, and wherever the routes lead."""
    put(OWNERS)
    second = hub.neighbours["second"]
    assert second.connect(PODS["shop1"][family], source=PODS["far"][family]).split()[0] == "here"
    assert second.connect(PODS["farther"][family], source=PODS["far"][family]) == "silence"


@BOTH
def test_segments_fit_the_link_that_they_leave_by(hub: Gateway, family: int) -> None:
    put(OWNERS)
    answer = hub.neighbours["here"].connect(PODS["farther"][family], source=PODS["shop1"][family])
    assert answer.split() == ["third", PODS["shop1"][family], ("1298", "1278")[family]]


@BOTH
def test_nobody_but_a_connector_in_its_tunnel_speaks_on_the_links(hub: Gateway, family: int) -> None:
    """The kernel takes a VXLAN packet from anywhere, on any address; the firewall does not."""
    put(OWNERS)
    own, theirs = OWN_OVERLAY[family], HUB_OVERLAY[family]
    edge = ("10.255.0.1", "fd00:255::1")[family]
    kind = (socket.AF_INET, socket.AF_INET6)[family]
    with socket.socket(kind, socket.SOCK_DGRAM) as listener:
        listener.bind((("0.0.0.0", "::")[family], PORT))
        listener.settimeout(5)
        for sender, target, source in (
            ("outside", ("198.51.100.1", "2001:db8::1")[family], OUTSIDE[family]),
            ("outside", own, OUTSIDE[family]),
            ("mesh", own, edge),
            # Nested in a link between connectors, and one that is only said to be from a connector.
            ("second", own, theirs),
            ("mesh", ("172.31.3.1", "fd09:3::1")[family], theirs),
        ):
            _send(hub, sender, target, source, "refused")
        _send(hub, "mesh", own, theirs, "taken")
        assert listener.recvfrom(100)[0] == b"taken"


def _send(hub: Gateway, sender: str, target: str, source: str, text: str) -> None:
    hub.neighbours[sender].run(sys.executable, "-c", _DATAGRAM, target, source, text, str(PORT))


@BOTH
def test_an_edge_gets_nowhere_else_through_a_connector(hub: Gateway, family: int) -> None:
    put(OWNERS)
    here, outside = hub.neighbours["here"], hub.neighbours["outside"]
    assert here.connect(OUTSIDE[family], source=PODS["shop1"][family]) == "silence"
    # Nor does it get at the connector's own addresses, but for the overlay.
    assert here.connect(("198.51.100.1", "2001:db8::1")[family], source=PODS["shop1"][family]) == "silence"
    # And nobody out there reaches an edge, whoever he says he is.
    assert outside.connect(PODS["shop1"][family]) == "silence"
    assert outside.connect(PODS["shop1"][family], source=OUTSIDE[family]) == "silence"


def test_an_edges_packets_leave_by_tunnels_only(hub: Gateway) -> None:
    """The route is wrong on purpose."""
    ip("route replace 10.200.3.5 via 198.51.100.5")
    try:
        before = hub.seen("outside")
        for ipsec in (Ipsec.KERNEL, None):
            put(OWNERS, ipsec)
            here = hub.neighbours["here"]
            assert here.connect(PODS["far"][0], source=PODS["shop1"][0]) == "silence"
            assert hub.connect(PODS["far"][0]) in ("silence", "EPERM")
        assert hub.seen("outside") == before
    finally:
        ip("route replace 10.200.3.5 via 172.31.1.2")
