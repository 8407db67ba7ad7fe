# SPDX-License-Identifier: Apache-2.0
"""Which interface carries the tunnels to a peer, in both ways of doing ESP."""

import msgspec
import pytest

from appliance.netcore.desired.facts import Facts, Ipsec
from appliance.netcore.desired.interfaces import EDGES, MESH, Interface, interface, interfaces
from appliance.netcore.plan.identity import Place
from appliance.netcore.plan.values import Role
from tests.unit.plan.plans import edge_plan

KERNEL = Facts(ipsec=Ipsec.KERNEL)
TUN = Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec1")
EDGE = edge_plan()
CONNECTOR = msgspec.structs.replace(EDGE, place=Place(role=Role.CONNECTOR, site="cloud"))
CLOUD_NODE = msgspec.structs.replace(EDGE, place=Place(role=Role.CLOUD_NODE, site="cloud"))


def test_an_edge_has_one_interface_a_hub_in_the_kernel() -> None:
    assert interface(EDGE, KERNEL, "connector-1") == Interface("orillo-hub1", 7411)
    assert interface(EDGE, KERNEL, "connector-2") == Interface("orillo-hub2", 7412)
    assert interface(EDGE, KERNEL, "shop2") is None


def test_a_new_order_of_the_hubs_moves_no_interface() -> None:
    peers = {
        name: msgspec.structs.replace(peer, priority=None if peer.priority is None else 100 - peer.priority)
        for name, peer in EDGE.peers.items()
    }
    turned = msgspec.structs.replace(EDGE, peers=peers)
    assert list(turned.hubs) == list(reversed(EDGE.hubs))
    assert interfaces(turned, KERNEL) == interfaces(EDGE, KERNEL)


def test_a_connector_has_one_interface_for_edges_and_one_for_hubs() -> None:
    assert interface(CONNECTOR, KERNEL, "shop2") == EDGES
    assert interface(CONNECTOR, KERNEL, "connector-2") == MESH
    assert interface(CONNECTOR, KERNEL, "worker-1") is None
    assert interfaces(CONNECTOR, KERNEL) == (EDGES, MESH)


@pytest.mark.parametrize("plan", [EDGE, CONNECTOR])
def test_with_libipsec_all_is_on_the_one_tun(plan: object) -> None:
    assert plan in (EDGE, CONNECTOR)
    chosen = EDGE if plan == EDGE else CONNECTOR
    assert interface(chosen, TUN, "connector-1") == Interface("ipsec1")
    assert interfaces(chosen, TUN) == (Interface("ipsec1"),)


@pytest.mark.parametrize("facts", [Facts(), Facts(tun="ipsec0"), Facts(ipsec=Ipsec.LIBIPSEC)])
def test_what_is_not_known_yet_is_none(facts: Facts) -> None:
    assert interface(EDGE, facts, "connector-1") is None
    assert interfaces(EDGE, facts) == ()


def test_a_cloud_node_has_no_tunnel() -> None:
    assert interfaces(CLOUD_NODE, KERNEL) == interfaces(CLOUD_NODE, TUN) == ()


def test_names_fit_into_what_the_kernel_allows() -> None:
    assert all(len(one.name) <= 15 for one in (*interfaces(EDGE, KERNEL), EDGES, MESH))
