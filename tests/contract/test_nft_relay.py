# SPDX-License-Identifier: Apache-2.0
"""What a connector's firewall does to real packets: edges behind one link, a connector behind another."""

import asyncio
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import msgspec
import pytest

from appliance.netcore.desired.facts import Facts, Ipsec
from appliance.netcore.desired.firewall import firewall
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
#: A pod of each edge. Far has its tunnel with the other connector.
PODS = {
    name: (f"10.200.{number}.5", f"fd00:200:0:{number}::5")
    for number, name in enumerate(("shop1", "depot", "far"), 1)
}
OTHER_HUB = ("10.200.12.5", "fd00:200:0:12::5")
UNKNOWN = ("10.200.99.5", "fd00:200:0:99::5")
OUTSIDE = ("198.51.100.5", "2001:db8::5")
OWNERS = {"shop1": HUB, "depot": HUB, "far": "connector-2"}


def plan() -> Plan:
    """The plan of connector-1."""
    return msgspec.structs.replace(
        edge_plan(),
        identity=Identity(cluster="lab", name=HUB, instance="11111111"),
        place=Place(role=Role.CONNECTOR, site="cloud"),
        prefixes=(ip_network("10.200.11.0/24"), ip_network("fd00:200:0:11::/64")),
        overlay=(ip_address("10.255.0.11"), ip_address("fd00:255::11")),
        groups=("cloud",),
        services={},
        peers={
            **{name: _edge(number, name) for number, name in enumerate(PODS, 1)},
            "connector-2": msgspec.structs.replace(edge_plan().peers["connector-2"], priority=None),
        },
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
    """`orillo-edges` to edges that all stand in one namespace each, `orillo-mesh` to the other connector."""
    with gateway() as hub:
        here = ("172.31.0.2/30", "fd09::2/126", *PODS["shop1"], *PODS["depot"], *UNKNOWN)
        add(hub, "here", "orillo-edges", ("172.31.0.1/30", "fd09::1/126"), here)
        mesh = ("172.31.1.2/30", "fd0a::2/126", *PODS["far"], *OTHER_HUB)
        add(hub, "mesh", "orillo-mesh", ("172.31.1.1/30", "fd0a::1/126"), mesh)
        add(hub, "outside", "eth0", ("198.51.100.1/24", "2001:db8::1/64"), _with_lengths(OUTSIDE))
        for name, (four, six) in {**PODS, "other": OTHER_HUB}.items():
            gate = ("172.31.0.2", "fd09::2") if name in ("shop1", "depot") else ("172.31.1.2", "fd0a::2")
            ip(f"route add {four} via {gate[0]}")
            ip(f"-6 route add {six} via {gate[1]}")
        settle()
        with serving(*hub.neighbours.values()):
            yield hub


def _with_lengths(addresses: tuple[str, str]) -> tuple[str, str]:
    return f"{addresses[0]}/24", f"{addresses[1]}/64"


@BOTH
def test_members_of_a_community_are_relayed_and_others_are_not(hub: Gateway, family: int) -> None:
    here = hub.neighbours["here"]
    put(OWNERS)
    assert here.connect(PODS["far"][family], source=PODS["shop1"][family]).split()[0] == "mesh"
    assert here.connect(PODS["far"][family], source=PODS["depot"][family]) == "silence"
    assert here.connect(PODS["far"][family], source=UNKNOWN[family]) == "silence"
    assert here.connect(OTHER_HUB[family], source=PODS["depot"][family]).split()[0] == "mesh"


@BOTH
def test_two_connectors_pass_nothing_to_and_fro(hub: Gateway, family: int) -> None:
    """Neither end belongs to an edge that this connector carries."""
    here = hub.neighbours["here"]
    put({"shop1": "connector-2", "far": "connector-2"})
    assert here.connect(PODS["far"][family], source=PODS["shop1"][family]) == "silence"
    put({"shop1": HUB})
    assert here.connect(PODS["far"][family], source=PODS["shop1"][family]).split()[0] == "mesh"


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
