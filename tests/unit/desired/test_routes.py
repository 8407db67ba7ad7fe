# SPDX-License-Identifier: Apache-2.0
"""The routes of our table, for each role, and what no fact may take away."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from appliance.netcore.desired.facts import Facts, Ipsec
from appliance.netcore.desired.relays import relays
from appliance.netcore.desired.routes import routes, rules
from appliance.netcore.plan.identity import Identity, Place
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Address, OnDown, Role
from appliance.netcore.spec import NEXT_HOPS, Route, RouteKey, RouteKind, Rule, RuleKey
from tests.unit.plan.plans import edge_plan

TUN = Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec0", hub="connector-2")
KERNEL = Facts(ipsec=Ipsec.KERNEL, hub="connector-2")


def shown(
    table: Mapping[RouteKey, Route], kind: RouteKind = RouteKind.UNICAST, number: int = 7410
) -> dict[str, str]:
    """Where each prefix goes, for the routes of one kind in the kernel's table of that number."""
    return {
        str(route.dst): str(route.gateway or route.device or "")
        for route in table.values()
        if route.kind is kind and route.table == number
    }


def with_underlay(plan: Plan, name: str, *addresses: str) -> Plan:
    peer = msgspec.structs.replace(plan.peers[name], underlay=tuple(map(ip_address, addresses)), addresses=())
    return msgspec.structs.replace(plan, peers=plan.peers | {name: peer})


def cloud_plan(role: Role, name: str) -> Plan:
    """The edge's plan as a device of the cloud: shop1 is a peer, and the cloud's peers have underlay
    addresses.
    """
    plan = edge_plan()
    edge = msgspec.structs.replace(
        plan.peers["shop2"],
        ike_id="0a1b2c3d.shop1.lab",
        overlay=plan.overlay,
        prefixes=plan.prefixes,
    )
    own = plan.peers[name]
    plan = msgspec.structs.replace(
        plan,
        identity=Identity(cluster="lab", name=name, instance="44444444"),
        place=Place(role=role, site="cloud"),
        prefixes=own.prefixes,
        overlay=own.overlay,
        underlay=(ip_address("172.20.0.9"),),
        peers={key: peer for key, peer in plan.peers.items() if key != name} | {"shop1": edge},
    )
    numbers = {"connector-1": 11, "connector-2": 12, "worker-1": 21}
    for peer, number in numbers.items():
        if peer != name:
            plan = with_underlay(plan, peer, f"172.20.0.{number}", f"fd20::{number}")
    return plan


def test_one_rule_a_family_leads_to_our_table() -> None:
    ours = {RuleKey(4, 7410): Rule(4, 7410, 7410), RuleKey(6, 7410): Rule(6, 7410, 7410)}
    assert rules(cloud_plan(Role.CLOUD_NODE, "worker-1")) == ours
    assert rules(edge_plan())[RuleKey(4, 7409)].source == ip_address("10.255.0.1")
    four, six = map(ip_address, ("10.255.0.11", "fd00:255::11"))
    assert rules(cloud_plan(Role.CONNECTOR, "connector-1")) == ours | {
        RuleKey(4, 7409): Rule(4, 7409, 7409, four),
        RuleKey(6, 7409): Rule(6, 7409, 7409, six),
    }


def test_before_any_fact_an_edge_has_only_what_is_near_and_what_is_refused() -> None:
    table = routes(edge_plan(), Facts())
    assert shown(table) == {"10.96.0.0/16": "orillo0", "fd00:96::/112": "orillo0"}
    assert set(shown(table, RouteKind.UNREACHABLE)) == {
        "10.200.0.0/16", "10.255.0.0/16", "fd00:200::/48", "fd00:255::/64",
    }  # fmt: skip
    assert set(shown(table, RouteKind.THROW)) == {
        "10.200.1.0/24", "fd00:200:0:1::/64", "203.0.113.11/32", "203.0.113.12/32",
    }  # fmt: skip


def test_metrics_keep_the_three_kinds_apart() -> None:
    metrics = {route.kind: route.metric for route in routes(edge_plan(), TUN).values()}
    assert metrics == {RouteKind.THROW: 50, RouteKind.UNICAST: 100, RouteKind.UNREACHABLE: 4_000_000}


def test_an_edge_sends_everything_to_its_hub_and_probes_to_each() -> None:
    table = routes(edge_plan(), KERNEL)
    # The device's own probes: each hub by its own interface.
    assert shown(table, number=7409) == {
        "10.255.0.11/32": "orillo-hub1",
        "fd00:255::11/128": "orillo-hub1",
        "10.255.0.12/32": "orillo-hub2",
        "fd00:255::12/128": "orillo-hub2",
    }
    assert shown(table) == {
        "10.96.0.0/16": "orillo0",
        "fd00:96::/112": "orillo0",
        # What stands behind us goes by the chosen one, to whomever.
        "10.255.0.11/32": "orillo-hub2",
        "fd00:255::11/128": "orillo-hub2",
        "10.255.0.12/32": "orillo-hub2",
        "fd00:255::12/128": "orillo-hub2",
        "10.200.11.0/24": "orillo-hub2",
        "fd00:200:0:11::/64": "orillo-hub2",
        "10.200.12.0/24": "orillo-hub2",
        "fd00:200:0:12::/64": "orillo-hub2",
        "10.200.21.0/24": "orillo-hub2",
        "fd00:200:0:21::/64": "orillo-hub2",
        "10.255.0.21/32": "orillo-hub2",
        "fd00:255::21/128": "orillo-hub2",
        "10.200.2.0/24": "orillo-hub2",
        "fd00:200:0:2::/64": "orillo-hub2",
        "10.255.0.2/32": "orillo-hub2",
        "fd00:255::2/128": "orillo-hub2",
    }


def test_without_a_chosen_hub_only_probes_have_a_way() -> None:
    for hub in (None, "a-hub-of-an-older-plan"):
        table = routes(edge_plan(), Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec0", hub=hub))
        assert set(shown(table, number=7409)) == {
            "10.255.0.11/32", "fd00:255::11/128", "10.255.0.12/32", "fd00:255::12/128",
        }  # fmt: skip
        assert "ipsec0" not in shown(table).values()


def test_our_own_packets_leave_from_the_overlay_address_of_the_family() -> None:
    for route in routes(edge_plan(), TUN).values():
        if route.kind is RouteKind.UNICAST:
            own = "10.255.0.1" if route.dst.version == 4 else "fd00:255::1"
            assert route.source == ip_address(own)


def test_a_peer_outside_the_fabric_is_refused_too() -> None:
    plan = edge_plan()
    away = msgspec.structs.replace(plan.peers["shop2"], prefixes=(ip_network("172.31.0.0/24"),))
    plan = msgspec.structs.replace(plan, peers=plan.peers | {"shop2": away})
    assert "172.31.0.0/24" in shown(routes(plan, Facts()), RouteKind.UNREACHABLE)


def test_a_connected_prefix_stays_local_although_a_supernet_is_remote() -> None:
    lan = ip_network("10.200.2.128/25")
    assert shown(routes(edge_plan(), Facts(connected=(lan,))), RouteKind.THROW)[str(lan)] == ""


def test_a_hub_by_name_has_no_address_to_keep_out_of_the_tunnel() -> None:
    plan = edge_plan()
    named = msgspec.structs.replace(plan.peers["connector-1"], addresses=("hub.example.org",))
    plan = msgspec.structs.replace(plan, peers=plan.peers | {"connector-1": named})
    assert "203.0.113.11/32" not in shown(routes(plan, Facts()), RouteKind.THROW)


def test_a_connector_sends_to_an_edge_by_its_owner() -> None:
    plan = cloud_plan(Role.CONNECTOR, "connector-1")
    facts = Facts(ipsec=Ipsec.KERNEL, owners={"shop1": "connector-1", "shop2": "connector-2"})
    ways = shown(routes(plan, facts))
    assert (ways["10.200.1.0/24"], ways["fd00:255::1/128"]) == ("orillo-edges", "orillo-edges")
    assert (ways["10.200.2.0/24"], ways["fd00:255::2/128"]) == ("169.254.0.1", "fe80::1")
    links = {route.device for route in routes(plan, facts).values() if route.gateway in NEXT_HOPS.values()}
    assert links == {relays(plan)["connector-2"].name} == {"orillo-0aff000c"}


def test_answers_to_an_edges_probes_never_go_by_its_owner() -> None:
    """The same destination: from the connector itself by the edge's own tunnel, for others by the owner."""
    plan = cloud_plan(Role.CONNECTOR, "connector-1")
    facts = Facts(ipsec=Ipsec.KERNEL, owners={"shop2": "connector-2"}, probed=frozenset({"shop2"}))
    table = routes(plan, facts)
    overlay = ip_network("10.255.0.2/32")
    assert table[RouteKey(overlay, 100)].device == "orillo-0aff000c"
    assert table[RouteKey(overlay, 100, 7409)].device == "orillo-edges"
    assert RouteKey(overlay, 100, 7409) not in routes(plan, replace(facts, probed=frozenset()))


def test_an_edge_that_nobody_owns_stays_refused() -> None:
    plan = cloud_plan(Role.CONNECTOR, "connector-1")
    for owners in ({}, {"shop2": "a-stranger"}, {"shop2": "worker-1"}):
        table = routes(plan, Facts(ipsec=Ipsec.KERNEL, owners=owners))
        assert "10.200.2.0/24" not in shown(table)
        assert "10.200.0.0/16" in shown(table, RouteKind.UNREACHABLE)


def test_a_connector_reaches_the_cloud_by_its_own_network_and_hubs_by_both() -> None:
    plan = cloud_plan(Role.CONNECTOR, "connector-1")
    table = routes(plan, Facts(ipsec=Ipsec.KERNEL))
    own, ways = shown(table, number=7409), shown(table)
    assert own == {"10.255.0.12/32": "orillo-mesh", "fd00:255::12/128": "orillo-mesh"}
    # An edge's pod has no part in the tunnel for probes: what it says to a far hub goes over the link.
    assert (ways["10.255.0.12/32"], ways["fd00:255::12/128"]) == ("169.254.0.1", "fe80::1")
    assert (ways["10.200.12.0/24"], ways["fd00:200:0:12::/64"]) == ("172.20.0.12", "fd20::12")
    assert (ways["10.200.21.0/24"], ways["fd00:255::21/128"]) == ("172.20.0.21", "fd20::21")


def test_hubs_use_their_link_for_a_family_that_the_cloud_lacks() -> None:
    plan = with_underlay(cloud_plan(Role.CONNECTOR, "connector-1"), "connector-2", "172.20.0.12")
    plan = with_underlay(plan, "worker-1", "172.20.0.21")
    ways = shown(routes(plan, Facts(ipsec=Ipsec.KERNEL)))
    assert (ways["10.200.12.0/24"], ways["fd00:200:0:12::/64"]) == ("172.20.0.12", "fe80::1")
    assert "fd00:200:0:21::/64" not in ways


def test_a_cloud_node_reaches_edges_by_their_owner_and_the_cloud_directly() -> None:
    plan = cloud_plan(Role.CLOUD_NODE, "worker-1")
    ways = shown(routes(plan, Facts(owners={"shop1": "connector-2"})))
    assert (ways["10.200.1.0/24"], ways["fd00:255::1/128"]) == ("172.20.0.12", "fd20::12")
    assert (ways["10.200.11.0/24"], ways["10.255.0.11/32"]) == ("172.20.0.11", "172.20.0.11")
    assert "10.200.2.0/24" not in ways


def test_the_clouds_own_addresses_stay_out_of_our_table() -> None:
    thrown = shown(routes(cloud_plan(Role.CLOUD_NODE, "worker-1"), Facts()), RouteKind.THROW)
    assert {"172.20.0.9/32", "172.20.0.11/32", "fd20::12/128"} <= set(thrown)


NAMES = st.sampled_from(["connector-1", "connector-2", "worker-1", "shop1", "shop2", "a-stranger"])
ADDRESSES: st.SearchStrategy[Address] = st.ip_addresses()
FACTS = st.builds(
    Facts,
    ipsec=st.sampled_from([None, *Ipsec]),
    tun=st.sampled_from([None, "ipsec0"]),
    hub=st.none() | NAMES,
    owners=st.dictionaries(NAMES, NAMES),
    probed=st.frozensets(NAMES),
    connected=st.lists(
        st.builds(lambda address, cut: ip_network((address, address.max_prefixlen - cut), strict=False),
                  ADDRESSES, st.integers(0, 24))
    ).map(tuple),
)  # fmt: skip
PLANS = st.sampled_from(
    [edge_plan(), cloud_plan(Role.CONNECTOR, "connector-1"), cloud_plan(Role.CLOUD_NODE, "worker-1")]
)


@given(PLANS, FACTS)
def test_whatever_the_facts_every_fabric_prefix_is_refused_below(plan: Plan, facts: Facts) -> None:
    table = routes(plan, facts)
    for pool in plan.fabric:
        assert table[RouteKey(pool, 4_000_000)].kind is RouteKind.UNREACHABLE


@given(PLANS, FACTS)
def test_every_way_is_into_a_tunnel_or_to_a_known_neighbour(plan: Plan, facts: Facts) -> None:
    neighbours = {address for peer in plan.peers.values() for address in peer.underlay}
    for key, route in routes(plan, facts).items():
        assert key == route.key
        if route.kind is RouteKind.UNICAST:
            if route.gateway in NEXT_HOPS.values():
                assert route.device in {relay.name for relay in relays(plan).values()}
            else:
                assert (route.device is None) != (route.gateway is None)
                assert route.gateway is None or route.gateway in neighbours
            assert route.device is None or route.device.startswith(("orillo", "ipsec"))
            assert all(one.version == route.dst.version for one in (route.gateway, route.source) if one)
        else:
            assert (route.device, route.gateway, route.source) == (None, None, None)


def test_dropped_where_the_community_wants_it() -> None:
    plan = edge_plan()
    silent = msgspec.structs.replace(plan.peers["shop2"], on_down=OnDown.DROP)
    wish = routes(msgspec.structs.replace(plan, peers=plan.peers | {"shop2": silent}), Facts())
    assert set(shown(wish, RouteKind.BLACKHOLE)) == {
        "10.200.2.0/24",
        "10.255.0.2/32",
        "fd00:200:0:2::/64",
        "fd00:255::2/128",
    }
    assert "10.200.0.0/16" in shown(wish, RouteKind.UNREACHABLE)


def test_own_lan_is_near_also_if_it_is_in_the_fabric() -> None:
    lan = ip_network("172.20.1.0/24")
    wish = routes(msgspec.structs.replace(edge_plan(), lan=(lan,), fabric=(*edge_plan().fabric, lan)), TUN)
    assert "172.20.1.0/24" in shown(wish, RouteKind.THROW)
    assert "172.20.1.0/24" not in shown(wish)
