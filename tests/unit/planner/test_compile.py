# SPDX-License-Identifier: Apache-2.0
"""What each role finds in its plan."""

from ipaddress import ip_address, ip_network
from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.netcore.plan.codec import to_document, to_plan
from appliance.netcore.plan.model import Plan, PortRange, Rule
from appliance.netcore.plan.validation import check
from appliance.netcore.plan.values import OnDown, Path, Role, Tier, Uplink
from cloud.planner.inventory import Inventory, read_inventory
from cloud.planner.uplinks import PROFILES
from cloud.source.manifests import read_text
from tests.unit.planner.worlds import DEMO, NAMES, demo, inventories, plans

ENROLLED = st.lists(st.sampled_from(NAMES), unique=True)


@settings(max_examples=50, deadline=None)
@given(inventories(), ENROLLED)
def test_every_plan_can_be_applied(inventory: Inventory, enrolled: list[str]) -> None:
    made = plans(inventory, enrolled)
    assert made.keys() == inventory.nodes.keys() & set(enrolled)
    for plan in made.values():
        assert check(plan) == ()
        assert to_plan(to_document(plan)) == plan


@settings(max_examples=50, deadline=None)
@given(inventories(), ENROLLED)
def test_peers_are_mutual(inventory: Inventory, enrolled: list[str]) -> None:
    made = plans(inventory, enrolled)
    for one, other in combinations(made, 2):
        assert (other in made[one].peers) == (one in made[other].peers)


@settings(max_examples=50, deadline=None)
@given(inventories())
def test_ends_agree_on_every_rule_between_them(inventory: Inventory) -> None:
    """What one end's rules let pass to the other, the other's rules let in."""
    made = plans(inventory)
    for one, other in permutations(made, 2):
        assert _outward(made[one], other) == _inward(made[other], one)


def _outward(plan: Plan, peer: str) -> set[tuple[str, str, tuple[PortRange, ...]]]:
    """The rules of `plan` by which the device opens connections to `peer`: from group, to group, ports."""
    theirs = plan.peers[peer].groups if peer in plan.peers else ()
    return {
        (rule.source, rule.destination, rule.allow)
        for rule in plan.policy.values()
        if rule.source in plan.groups and rule.destination in theirs
    }


def _inward(plan: Plan, peer: str) -> set[tuple[str, str, tuple[PortRange, ...]]]:
    """The rules of `plan` by which `peer` opens connections to the device."""
    theirs = plan.peers[peer].groups if peer in plan.peers else ()
    return {
        (rule.source, rule.destination, rule.allow)
        for rule in plan.policy.values()
        if rule.destination in plan.groups and rule.source in theirs
    }


@settings(max_examples=50, deadline=None)
@given(inventories())
def test_edge_knows_no_group_that_it_is_not_in(inventory: Inventory) -> None:
    for plan in plans(inventory).values():
        if plan.place.role is Role.EDGE:
            seen = {group for peer in plan.peers.values() for group in peer.groups}
            assert {group for group in seen if group.startswith("community:")} <= set(plan.groups)


def test_edge() -> None:
    plan = plans(demo())["shop1"]
    assert plan.groups == ("edge", "community:shops")
    assert plan.peers.keys() == {"connector-1", "connector-2", "worker-1", "shop2"}
    assert [hub.priority for hub in plan.hubs.values()] == [10, 20]
    hub = plan.peers["connector-1"]
    assert hub.addresses == ("203.0.113.11", "hub1.example")
    assert (hub.underlay, hub.groups, hub.paths) == ((), ("cloud",), (Path.HUB,))
    assert plan.peers["shop2"].groups == ("edge", "community:shops")
    assert plan.peers["shop2"].ike_id.endswith(".shop2.lab")
    assert plan.policy.keys() == {"edge-to-cloud", "cloud-to-edge", "community:shops"}
    assert plan.cni is not None
    assert plan.underlay == ()
    assert plan.dns.bind == (ip_address("169.254.20.10"),)
    assert ip_network("10.96.0.0/16") in plan.fabric


def test_preferred_hub_comes_first() -> None:
    assert list(plans(demo())["shop2"].hubs) == ["connector-2", "connector-1"]


def test_connector() -> None:
    plan = plans(demo())["connector-1"]
    assert plan.peers.keys() == {"connector-2", "worker-1", "shop1", "shop2", "depot"}
    assert plan.hubs == {}
    other = plan.peers["connector-2"]
    assert other.paths == (Path.UNDERLAY, Path.HUB)
    assert other.underlay == (ip_address("172.16.0.12"),)
    assert plan.peers["shop1"].addresses == ()
    assert plan.underlay == (ip_address("172.16.0.11"),)
    assert "community:shops" in plan.policy


def test_cloud_node() -> None:
    plan = plans(demo())["worker-1"]
    assert plan.peers["shop1"].paths == (Path.HUB,)
    assert plan.peers["connector-1"].paths == (Path.UNDERLAY,)
    assert plan.peers["connector-1"].underlay == (ip_address("172.16.0.11"),)
    assert plan.policy.keys() == {"edge-to-cloud", "cloud-to-edge"}


def test_cloud_denied() -> None:
    extra = "{apiVersion: orillo.io/v1alpha1, kind: Device, metadata: {name: shop1}, spec: {cloud: deny}}"
    made = plans(demo(extra))
    assert made["shop1"].peers.keys() == {"connector-1", "connector-2", "shop2"}
    assert made["shop1"].groups == ("community:shops",)
    assert made["shop1"].peers["connector-1"].groups == ()
    assert made["shop1"].policy.keys() == {"community:shops"}
    assert made["connector-1"].peers["shop1"].groups == ("community:shops",)
    assert "shop1" not in made["worker-1"].peers


def test_backends_by_nearness() -> None:
    made = plans(demo())
    ports = made["shop1"].services["default/web"].ports
    assert ports.keys() == {"tcp-80"}
    found = {str(backend.address): backend.tier for backend in ports["tcp-80"].backends.values()}
    assert found == {
        "10.200.3.5": Tier.NODE,
        "10.200.4.5": Tier.COMMUNITY,
        "10.200.5.5": Tier.CLOUD,
    }
    depot = made["depot"].services["default/web"].ports["tcp-80"].backends
    assert {(backend.node, backend.tier) for backend in depot.values()} == {
        ("depot", Tier.NODE),
        ("worker-1", Tier.REGION),
    }


def test_backend_behind_a_closed_port_is_left_out() -> None:
    text = DEMO.replace("members: [shop1, lab.shop2]", "members: [shop1, shop2], ports: [{port: 443}]")
    backends = (
        plans(read_inventory(read_text(text)))["shop1"].services["default/web"].ports["tcp-80"].backends
    )
    assert backends.keys() == {"10.200.3.5:8080", "10.200.5.5:8080"}


def test_backend_on_the_host_network_is_within_reach_of_its_node_and_the_cloud_only() -> None:
    extra = """
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, ports: [{port: 9100}],
  metadata: {name: x-1, labels: {kubernetes.io/service-name: x}}, endpoints: [
    {addresses: [192.168.1.10], nodeName: shop1}, {addresses: [172.16.0.21], nodeName: worker-1}]}
---
{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {clusterIP: 10.96.0.81, ports: [{port: 9100}]}}
"""
    made = plans(demo(extra))
    reach = {
        name: [backend.node for backend in plan.services["default/x"].ports["tcp-9100"].backends.values()]
        for name, plan in made.items()
    }
    assert reach["shop1"] == ["shop1"]
    assert reach["shop2"] == []
    assert reach["worker-1"] == reach["connector-1"] == ["worker-1"]


def test_headless_service_is_its_backends_by_name() -> None:
    extra = """
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {name: db-1,
  namespace: data, labels: {kubernetes.io/service-name: db}},
  endpoints: [{addresses: [10.200.3.7]}, {addresses: [10.200.2.7]}]}
---
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: data}, spec: {clusterIP: None}}
"""
    made = plans(demo(extra))
    name = "db.data.svc.cluster.local"
    assert made["shop1"].dns.records == {name: (ip_address("10.200.3.7"),)}
    assert made["depot"].dns.records == {name: (ip_address("10.200.2.7"),)}
    assert "data/db" not in made["shop1"].services


def test_only_enrolled_devices_are_peers() -> None:
    made = plans(demo(), ["shop1", "connector-1"])
    assert made["shop1"].peers.keys() == {"connector-1"}


def test_without_a_connector_edges_have_no_way_to_each_other() -> None:
    made = plans(demo(), ["shop1", "shop2", "worker-1"])
    assert all(plan.peers == {} for plan in made.values())


def test_node_of_the_cloud_with_its_own_prefix_keeps_its_cni_and_its_neighbours() -> None:
    extra = """{apiVersion: v1, kind: Node, metadata: {name: worker-2}, spec: {podCIDR: 10.77.2.0/24},
      status: {addresses: [{type: InternalIP, address: 172.16.0.22}]}}"""
    made = plans(demo(extra))
    assert made["worker-2"].cni is None
    assert made["worker-1"].cni is not None
    assert ip_network("10.77.2.0/24") in made["shop1"].fabric
    assert ip_network("10.77.2.0/24") not in made["worker-1"].fabric


def test_a_new_hub_keeps_the_order_of_the_others() -> None:
    extra = """{apiVersion: v1, kind: Node, metadata: {name: connector-3,
      labels: {node-role.kubernetes.io/connector: ""},
      annotations: {fabedge.io/node-public-addresses: hub3.example}},
      status: {addresses: [{type: InternalIP, address: 172.16.0.13}]}}"""
    before, after = plans(demo()), plans(demo(extra))
    for name in ("shop1", "shop2", "depot"):
        assert [hub for hub in after[name].hubs if hub != "connector-3"] == list(before[name].hubs)


LAN = """{apiVersion: orillo.io/v1alpha1, kind: Device, metadata: {name: shop1},
  spec: {lan: [172.20.1.0/24], uplink: satellite}}
---
{apiVersion: orillo.io/v1alpha1, kind: Community, metadata: {name: calm},
  spec: {members: [shop1, depot], onTunnelDown: %s}}
"""


def test_exposed_lan_is_behind_its_device_for_everybody_else() -> None:
    made = plans(demo(LAN % "refuse"))
    lan = ip_network("172.20.1.0/24")
    assert made["shop1"].lan == (lan,)
    assert lan not in made["shop1"].prefixes
    for name in ("connector-1", "worker-1", "shop2", "depot"):
        assert lan in made[name].peers["shop1"].prefixes
    assert all(lan in plan.fabric for plan in made.values())  # fail closed, also where it is no peer


def test_backend_in_a_lan() -> None:
    extra = (
        LAN % "refuse"
        + """---
{apiVersion: v1, kind: Service, metadata: {name: till}, spec: {clusterIP: 10.96.0.81, ports: [{port: 80}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, ports: [{port: 80}],
  metadata: {name: till-1, labels: {kubernetes.io/service-name: till}},
  endpoints: [{addresses: [172.20.1.7]}]}
"""
    )
    port = plans(demo(extra))["shop2"].services["default/till"].ports["tcp-80"]
    assert [(str(one.address), one.node) for one in port.backends.values()] == [("172.20.1.7", "shop1")]


def test_uplink_sets_how_patient_tunnels_are() -> None:
    made = plans(demo(LAN % "refuse"))
    assert made["shop2"].tunnel == made["connector-1"].tunnel == PROFILES[Uplink.WIRED]
    assert made["shop1"].tunnel == PROFILES[Uplink.SATELLITE]
    assert made["connector-1"].peers["shop1"].dpd_delay == PROFILES[Uplink.SATELLITE].dpd_delay
    assert made["connector-1"].peers["shop2"].dpd_delay is None
    for profile in PROFILES.values():
        assert profile.mtu >= 1280
        assert profile.failback_after > profile.probe_interval * profile.probe_misses


@pytest.mark.parametrize("way", OnDown)
def test_what_becomes_of_traffic_while_a_tunnel_is_down(way: OnDown) -> None:
    made = plans(demo(LAN % way))
    assert made["shop1"].peers["depot"].on_down is way
    assert made["shop1"].peers["shop2"].on_down is OnDown.REFUSE  # of another community
    assert made["shop1"].peers["connector-1"].on_down is OnDown.REFUSE
    # The connector is silent only where everybody who reaches the edge wants that.
    silent = OnDown.DROP if way is OnDown.DROP else OnDown.REFUSE
    assert made["connector-1"].peers["depot"].on_down is silent
    assert made["connector-1"].peers["shop1"].on_down is OnDown.REFUSE


ORDERS = """{apiVersion: orillo.io/v1alpha1, kind: Community, metadata: {name: orders},
  spec: {from: {members: [shop1, shop2]}, to: {members: [depot]}}}"""


def test_direction() -> None:
    made = plans(demo(ORDERS))
    shop, depot = made["shop1"], made["depot"]
    assert "from:orders" in shop.groups
    assert depot.groups == ("edge", "to:orders")
    assert shop.policy["community:orders"] == Rule(source="from:orders", destination="to:orders")
    assert depot.peers.keys() >= {"shop1", "shop2"}
    # Those that open nothing to each other are no peers by it.
    apart = plans(
        read_inventory(
            read_text(DEMO.replace("shops", "none").replace("shop1, lab.shop2", "") + "---\n" + ORDERS)
        )
    )
    assert "shop2" not in apart["shop1"].peers
    # A backend is of use only to those who may open connections to it.
    backends = depot.services["default/web"].ports["tcp-80"].backends
    assert {one.node for one in backends.values()} == {"depot", "worker-1"}
