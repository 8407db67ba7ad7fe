# SPDX-License-Identifier: Apache-2.0
"""Manifests as the planner reads them, and what they may not say."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from appliance.netcore.plan.identity import Place
from appliance.netcore.plan.values import Protocol, Role
from cloud.planner.engine import Engine, News
from cloud.planner.inventory import InventoryError, NamedPort, read_inventory
from cloud.planner.roles import RoleLabels
from cloud.source.manifest import Manifest
from cloud.source.manifests import read_text
from tests.unit.planner.worlds import FABRIC, demo

NODE = "{apiVersion: v1, kind: Node, metadata: {name: %s}, spec: {podCIDRs: [%s]}}\n---\n"
DEVICE = "{apiVersion: orillo.io/v1alpha1, kind: Device, metadata: {name: %s}, spec: {%s}}\n---\n"
SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: %s}, spec: {clusterIP: 10.96.0.1}}\n---\n"


def problems(text: str) -> tuple[str, ...]:
    """Why the manifests in `text` are refused."""
    with pytest.raises(InventoryError) as caught:
        read_inventory(read_text(text), FABRIC)
    assert str(caught.value) == "; ".join(caught.value.problems)
    return caught.value.problems


def test_nodes_of_the_demo() -> None:
    found = demo()
    assert found.warnings == ()
    connector = found.nodes["connector-1"]
    assert connector.place == Place(Role.CONNECTOR, "connector-1")
    assert connector.addresses == ("203.0.113.11", "hub1.example")
    assert connector.underlay == (ip_address("172.16.0.11"),)
    assert found.nodes["worker-1"].place == Place(Role.CLOUD_NODE, "worker-1", "north")
    assert found.nodes["shop1"].underlay == ()
    assert found.communities["shops"].nodes("lab") == {"shop1", "shop2"}
    assert found.communities["shops"].nodes("other") == {"shop1"}


def test_device_overrides_its_node() -> None:
    text = NODE % ("a", "10.200.9.0/24, fd00:200:0:9::/64") + DEVICE % (
        "a",
        "role: edge, site: hall, region: north, zone: z1, publicAddresses: [edge.example], cloud: deny",
    )
    node = read_inventory(read_text(text)).nodes["a"]
    assert node.place == Place(Role.EDGE, "hall", "north", "z1")
    assert node.addresses == ("edge.example",)
    assert node.prefixes == (ip_network("10.200.9.0/24"), ip_network("fd00:200:0:9::/64"))
    assert not node.cloud


def test_device_alone() -> None:
    found = read_inventory(read_text(DEVICE % ("a", "role: edge") + DEVICE % ("b", "site: hall")))
    assert found.nodes.keys() == {"a"}
    assert found.warnings == ("Device b has no Node and says no role: it gets no plan until it has either",)


def test_service_with_its_backends() -> None:
    text = """
{apiVersion: v1, kind: Service, metadata: {name: web, labels: {orillo.io/strict: "true"}}, spec: {
  clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, "fd00:96::1"], sessionAffinity: ClientIP,
  ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv6, ports: [{name: http, port: 8080}],
  metadata: {name: web-1, labels: {kubernetes.io/service-name: web}},
  endpoints: [{addresses: ["fd00:200::5"], conditions: {ready: true}, nodeName: a},
    {addresses: ["fd00:200::6"], conditions: {ready: false}}]}
---
{apiVersion: v1, kind: Service, metadata: {name: alias}, spec: {type: ExternalName, externalName: a.example}}
"""
    services = read_inventory(read_text(text)).services
    assert services.keys() == {"default/web"}
    web = services["default/web"]
    assert web.strict
    assert web.client_affinity
    assert web.addresses == (ip_address("10.96.0.1"), ip_address("fd00:96::1"))
    assert web.ports == (NamedPort("http", Protocol.TCP, 80), NamedPort("dns", Protocol.UDP, 53))
    assert [(str(backend.address), backend.node) for backend in web.backends] == [("fd00:200::5", "a")]
    assert web.backends[0].ports == (NamedPort("http", Protocol.TCP, 8080),)


def test_all_problems_are_told_at_once() -> None:
    text = (
        NODE % ("a", "10.200.0.0/23")
        + NODE % ("b", "10.200.1.0/24")
        + NODE % ("c", "10.96.3.0/24")
        + NODE % ("d.e", "")
        + DEVICE % ("a", "hubs: [b, x], publicAddresses: [1.2.3.444]")
        + SERVICE % "one"
        + SERVICE % "two"
    )
    assert problems(text) == (
        "Node a: its public address '1.2.3.444' is neither an IP address nor a DNS name",
        "Device a names the hub b, whose role is cloud-node: name connectors in spec.hubs",
        "Device a names the hub x, and there is no node x: correct spec.hubs",
        "Node d.e: its name is no DNS label: use at most 63 lower-case letters, digits and '-'",
        "podCIDR 10.200.1.0/24 of node b overlaps 10.200.0.0/23 of node a: give one of them another prefix",
        "services default/one and default/two both have the clusterIP 10.96.0.1: change one of them",
        "podCIDR 10.96.3.0/24 of node c overlaps the service range 10.96.0.0/16: choose another prefix",
    )


def test_node_that_is_both_edge_and_connector() -> None:
    text = """{apiVersion: v1, kind: Node, metadata: {name: a, labels: {
      node-role.kubernetes.io/edge: "", node-role.kubernetes.io/connector: ""}}}\n---\n"""
    assert "labelled as edge and as connector" in problems(text)[0]
    decided = read_inventory(read_text(text + DEVICE % ("a", "role: edge")))
    assert decided.nodes["a"].is_edge


def test_roles_by_other_labels() -> None:
    text = """
{apiVersion: v1, kind: Node, metadata: {name: a, labels: {example.com/role: edge}}}
---
{apiVersion: v1, kind: Node, metadata: {name: b, labels: {example.com/role: cloud, hub: ""}}}
---
{apiVersion: v1, kind: Node, metadata: {name: c, labels: {node-role.kubernetes.io/edge: ""}}}
"""
    fabric = replace(FABRIC, roles=RoleLabels("example.com/role=edge", "hub"))
    roles = {name: node.place.role for name, node in read_inventory(read_text(text), fabric).nodes.items()}
    assert roles == {"a": Role.EDGE, "b": Role.CONNECTOR, "c": Role.CLOUD_NODE}
    engine = Engine(fabric)
    engine.take(News(tuple((each.key, each) for each in read_text(text))))
    assert {name: node.place.role for name, node in engine.inventory.nodes.items()} == roles


def test_address_of_a_node_inside_the_fabric() -> None:
    text = """{apiVersion: v1, kind: Node, metadata: {name: a},
      status: {addresses: [{type: InternalIP, address: 10.200.3.4}]}}"""
    assert "address 10.200.3.4 of node a lies in the pod pool 10.200.0.0/16" in problems(text)[0]


def test_object_given_twice() -> None:
    manifests = read_text(NODE % ("a", ""))
    with pytest.raises(InventoryError, match="Node a is there twice"):
        read_inventory(manifests * 2)


@pytest.mark.parametrize(
    ("members", "warning"),
    [
        ("later", "Community x has the member later, and there is no node later (yet)"),
        ("far.shop1", "Community x has the member far.shop1 of another cluster: it is left out"),
    ],
)
def test_member_that_is_not_there(members: str, warning: str) -> None:
    extra = """{apiVersion: fabedge.io/v1alpha1, kind: Community, metadata: {name: x},
      spec: {members: [shop1, %s]}}"""
    assert demo(extra % members).warnings == (warning,)


def test_connector_without_a_public_address() -> None:
    extra = "{apiVersion: orillo.io/v1alpha1, kind: Device, metadata: {name: c3}, spec: {role: connector}}"
    assert len(demo(extra).warnings) == 2


def test_fields_of_a_newer_kubernetes_are_passed_over() -> None:
    body = {"metadata": {"name": "a", "new": 1}, "spec": {"podCIDR": "10.200.7.0/24", "newer": {}}}
    found = read_inventory([Manifest("v1", "Node", "", "a", body)])
    assert found.nodes["a"].prefixes == (ip_network("10.200.7.0/24"),)


@pytest.mark.parametrize(
    "prefix",
    ["0.0.0.0/1", "127.0.0.0/16", "169.254.20.0/24", "224.0.0.0/8", "fe80::/64", "ff02::/64", "::/3"],
)
def test_prefix_that_no_pod_can_have_is_refused(prefix: str) -> None:
    assert any(
        problem.startswith(f"podCIDR {prefix} of node a holds addresses that no pod can have")
        for problem in problems(NODE % ("a", f"'{prefix}'"))
    )


def test_service_among_the_pods_is_refused() -> None:
    assert problems((SERVICE % "web").replace("10.96.0.1", "10.200.0.7")) == (
        "Service default/web has the clusterIP 10.200.0.7, which lies in the pod pool 10.200.0.0/16: "
        "correct the one or the other",
    )


def test_service_outside_the_range_is_a_warning() -> None:
    """As from a cluster whose range is another than the settings have it: k3s uses 10.43.0.0/16."""
    text = (SERVICE % "web").replace("10.96.0.1", "10.43.0.1")
    (warning,) = read_inventory(read_text(text), FABRIC).warnings
    assert warning.startswith(
        "Service default/web has the clusterIP 10.43.0.1 outside the service range (10.96"
    )


LABELLED = """{apiVersion: v1, kind: Node, metadata: {name: shop9, labels: {
  node-role.kubernetes.io/edge: "", tier: gold}}}
---
{apiVersion: orillo.io/v1alpha1, kind: Device, metadata: {name: depot, labels: {tier: silver}}}
---
"""
BY_LABEL = (
    """{apiVersion: orillo.io/v1alpha1, kind: Community, metadata: {name: x}, spec: {selector: {%s}}}"""
)


@pytest.mark.parametrize(
    ("selector", "members"),
    [
        ("matchLabels: {tier: gold}", {"shop9"}),
        ("matchExpressions: [{key: tier, operator: In, values: [gold, silver]}]", {"shop9", "depot"}),
        ("matchExpressions: [{key: tier, operator: Exists}]", {"shop9", "depot"}),
        (
            "matchLabels: {tier: gold}, matchExpressions: [{key: tier, operator: NotIn, values: [gold]}]",
            set(),
        ),
        (
            "matchLabels: {topology.kubernetes.io/region: north},"
            "matchExpressions: [{key: tier, operator: DoesNotExist}]",
            {"worker-1"},
        ),
    ],
)
def test_members_by_label(selector: str, members: set[str]) -> None:
    """Labels of a Device count as its Node's; names and labels may be given together."""
    inventory = demo(LABELLED + BY_LABEL % selector)
    assert inventory.communities["x"].nodes("lab") == members
    assert bool(inventory.warnings) is not bool(members)
    both = demo(LABELLED + (BY_LABEL % selector).replace("spec: {", "spec: {members: [shop1], "))
    assert both.communities["x"].nodes("lab") == members | {"shop1"}


def test_one_way_community_whose_side_is_empty() -> None:
    text = """{apiVersion: orillo.io/v1alpha1, kind: Community, metadata: {name: x},
      spec: {from: {members: [shop1]}, to: {selector: {matchLabels: {is: nobody}}}}}"""
    assert demo(text).warnings == ("Community x opens nothing: there is no node that its `to` selects",)


EDGES = NODE % ("edge1", "10.200.1.0/24") + NODE % ("edge2", "10.200.2.0/24")
LAN = """{apiVersion: orillo.io/v1alpha1, kind: Device, metadata: {name: %s}, spec: {role: %s, lan: [%s]}}
---
"""


@pytest.mark.parametrize(
    ("one", "other", "problem"),
    [
        (
            "172.20.0.0/16",
            "172.20.4.0/24",
            "LAN 172.20.4.0/24 of device edge2 overlaps LAN 172.20.0.0/16 of device",
        ),
        (
            "10.200.2.0/25",
            "172.20.4.0/24",
            "LAN 10.200.2.0/25 of device edge1 overlaps podCIDR 10.200.2.0/24 of",
        ),
        ("10.96.0.0/24", "172.20.4.0/24", "overlaps the service range 10.96.0.0/16: renumber one of the two"),
        ("10.200.9.0/24", "172.20.4.0/24", "overlaps the pod pool 10.200.0.0/16: renumber one of the two"),
        ("224.0.0.0/24", "172.20.4.0/24", "holds addresses that no host can have"),
    ],
)
def test_lans_that_clash(one: str, other: str, problem: str) -> None:
    """Both sides are named."""
    text = EDGES + LAN % ("edge1", "edge", one) + LAN % ("edge2", "edge", other)
    assert any(problem in each for each in problems(text))


def test_lan_that_another_site_stands_in() -> None:
    """Both shops of the demo are in 192.168.1.0/24: exposed, it would take shop2's own network from it."""
    with pytest.raises(InventoryError) as caught:
        demo(LAN % ("shop1", "edge", "192.168.1.0/24"))
    assert caught.value.problems == (
        "LAN 192.168.1.0/24 of device shop1 is also where node shop2 stands (192.168.1.10), which would lose "
        "its own network: renumber one of the two sites, or expose fewer addresses",
    )
    assert demo(LAN % ("shop1", "edge", "192.168.1.64/26")).nodes["shop1"].lan


def test_only_edges_have_a_lan() -> None:
    assert "only edges can" in problems(LAN % ("hub", "connector", "172.20.0.0/24"))[0]
