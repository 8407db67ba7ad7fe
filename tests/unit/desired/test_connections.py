# SPDX-License-Identifier: Apache-2.0
"""charon's connections from a plan."""

from dataclasses import replace
from ipaddress import ip_address

from msgspec import structs

from appliance.netcore.desired.connections import connections, dials, settings
from appliance.netcore.desired.facts import Facts
from appliance.netcore.plan.identity import Identity, Place
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Role
from appliance.netcore.spec import Ipsec
from tests.unit.plan.plans import edge_plan

ONE, TWO = "connector-1", "connector-2"
HOME = ip_address("192.168.1.10")
FACTS = Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec0", sources={ONE: HOME, TWO: HOME})


def connector_plan() -> Plan:
    plan = edge_plan()
    own = plan.peers[ONE]
    return structs.replace(
        plan,
        identity=Identity(cluster="lab", name=ONE, instance="00000011"),
        place=Place(role=Role.CONNECTOR, site="cloud"),
        overlay=own.overlay,
        prefixes=own.prefixes,
        peers={name: peer for name, peer in plan.peers.items() if name != ONE},
    )


def test_an_edge_has_a_connection_to_every_hub_and_nobody_else() -> None:
    wished = connections(edge_plan(), FACTS)
    assert list(wished) == [ONE, TWO]
    rendered = settings(wished[ONE])
    assert rendered["local"] == {"auth": "pubkey", "id": "0a1b2c3d.shop1.lab"}
    assert rendered["remote"] == {"auth": "pubkey", "id": "00000011.connector-1.lab"}
    assert (rendered["local_addrs"], rendered["remote_addrs"]) == (["192.168.1.10"], ["203.0.113.11"])
    assert (rendered["encap"], rendered["mobike"]) == ("yes", "yes")
    assert "remote_port" not in rendered


def test_an_edges_children_are_its_site_and_a_probe() -> None:
    children = settings(connections(edge_plan(), FACTS)[ONE])["children"]
    assert list(children) == ["probe", "site"]
    assert children["probe"]["local_ts"] == ["10.255.0.1/32", "fd00:255::1/128"]
    assert children["probe"]["remote_ts"] == ["10.255.0.11/32", "fd00:255::11/128"]
    site = ["10.200.1.0/24", "fd00:200:0:1::/64", "10.255.0.1/32", "fd00:255::1/128"]
    assert children["site"]["local_ts"] == site
    assert children["site"]["remote_ts"] == ["0.0.0.0/0", "::/0"]
    assert {child["start_action"] for child in children.values()} == {"none"}
    assert not any("if_id_in" in child for child in children.values())


def test_both_ends_of_a_tunnel_mirror_each_other() -> None:
    plan = connector_plan()
    edge = structs.replace(
        plan.peers["shop2"],
        ike_id=edge_plan().identity.ike_id,
        prefixes=edge_plan().prefixes,
        overlay=edge_plan().overlay,
    )
    hub = connections(structs.replace(plan, peers={"shop1": edge}), Facts(ipsec=Ipsec.LIBIPSEC))["shop1"]
    own = connections(edge_plan(), FACTS)[ONE]
    assert (hub.local_id, hub.remote_id) == (own.remote_id, own.local_id)
    for name, child in own.children.items():
        assert (hub.children[name].local_ts, hub.children[name].remote_ts) == (
            child.remote_ts,
            child.local_ts,
        )
    assert settings(hub)["remote_addrs"] == ["%any"]
    assert "local_addrs" not in settings(hub)


def test_between_connectors_the_first_by_name_dials() -> None:
    first = connector_plan()
    second = structs.replace(first, identity=Identity(cluster="lab", name="z", instance="00000011"))
    facts = Facts(ipsec=Ipsec.LIBIPSEC)
    assert dials(first, TWO)
    assert not dials(second, TWO)
    assert connections(first, facts)[TWO].remote_addrs == ("203.0.113.12",)
    assert connections(second, facts)[TWO].remote_addrs == ()
    assert list(connections(first, facts)[TWO].children) == ["probe"]
    assert not connections(first, facts)[TWO].mobike


def test_kernel_esp_has_an_interface_id_for_each_path() -> None:
    facts = Facts(ipsec=Ipsec.KERNEL, sources={ONE: HOME, TWO: HOME})
    edge = connections(edge_plan(), facts)
    assert [settings(edge[hub])["children"]["site"]["if_id_in"] for hub in (ONE, TWO)] == ["7411", "7412"]
    hub = connections(connector_plan(), facts)
    assert settings(hub["shop2"])["children"]["probe"]["if_id_out"] == "7410"
    assert settings(hub[TWO])["children"]["probe"]["if_id_out"] == "7420"


def test_it_waits_for_what_it_can_not_know() -> None:
    assert connections(edge_plan(), Facts())[ONE].waits_for == "charon to say how it does ESP"
    no_route = connections(edge_plan(), Facts(ipsec=Ipsec.LIBIPSEC))
    assert no_route[ONE].waits_for == "a route to connector-1"
    assert connections(connector_plan(), Facts(ipsec=Ipsec.LIBIPSEC))["shop2"].waits_for == ""


def test_a_hub_with_only_a_dns_name_needs_no_known_route() -> None:
    plan = edge_plan()
    named = structs.replace(plan.peers[ONE], addresses=("hub.example",))
    wished = connections(structs.replace(plan, peers={ONE: named}), Facts(ipsec=Ipsec.LIBIPSEC))
    assert (wished[ONE].waits_for, wished[ONE].remote_addrs) == ("", ("hub.example",))


def test_only_addresses_of_the_sources_family_are_dialled() -> None:
    plan = edge_plan()
    both = structs.replace(plan.peers[ONE], addresses=("2001:db8::11", "203.0.113.11", "hub.example"))
    wished = connections(structs.replace(plan, peers={ONE: both}), FACTS)
    assert wished[ONE].remote_addrs == ("203.0.113.11", "hub.example")


def test_other_ports_use_nat_traversal_from_the_start() -> None:
    plan = edge_plan()
    moved = structs.replace(plan, tunnel=structs.replace(plan.tunnel, ike_port=1500, natt_port=1600))
    rendered = settings(connections(moved, FACTS)[ONE])
    assert (rendered["local_port"], rendered["remote_port"]) == ("1600", "1600")


def test_a_revoked_peer_and_a_cloud_node_have_no_connection() -> None:
    plan = edge_plan()
    trust = structs.replace(plan.trust, revoked=("orillo://lab/connector-1/00000011",))
    assert list(connections(structs.replace(plan, trust=trust), FACTS)) == [TWO]
    node = structs.replace(plan, place=Place(role=Role.CLOUD_NODE, site="cloud"))
    assert connections(node, FACTS) == {}


def test_address_that_was_dialled_in_vain_lets_the_next_one_have_its_turn() -> None:
    """charon dials the first and no other (tests/contract/test_charon.py)."""
    plan = edge_plan()
    hub = structs.replace(plan.peers["connector-1"], addresses=("203.0.113.1", "203.0.113.2", "2001:db8::1"))
    plan = structs.replace(plan, peers={**plan.peers, "connector-1": hub})
    dialled = []
    for turns in range(4):
        facts = replace(FACTS, turns={"connector-1": turns})
        dialled.append(connections(plan, facts)["connector-1"].remote_addrs[0])
    assert dialled == ["203.0.113.1", "203.0.113.2", "203.0.113.1", "203.0.113.1"]
