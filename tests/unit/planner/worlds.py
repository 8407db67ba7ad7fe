# SPDX-License-Identifier: Apache-2.0
"""Inventories to plan for: the demo's, from its manifests, and random ones."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from hypothesis import strategies as st

from appliance.netcore.plan.identity import Identity, Place
from appliance.netcore.plan.model import Plan, PortRange, Trust
from appliance.netcore.plan.values import OnDown, Protocol, Role, Uplink
from cloud.planner.allocation import allot
from cloud.planner.compile import make_plans
from cloud.planner.explain import Explanation, explain
from cloud.planner.fabric import Fabric
from cloud.planner.inventory import Backend, Community, Inventory, NamedPort, Node, Service, read_inventory
from cloud.source.manifests import read_text

FABRIC = Fabric(cluster="lab")
TRUST = Trust(ca=("-----BEGIN CERTIFICATE-----\n",), plan_keys={"k1": "AAAA"})

DEMO = """
{apiVersion: v1, kind: Node, metadata: {name: connector-1, labels: {node-role.kubernetes.io/connector: ""},
  annotations: {fabedge.io/node-public-addresses: "203.0.113.11, hub1.example"}},
  status: {addresses: [{type: InternalIP, address: 172.16.0.11}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: connector-2, labels: {node-role.kubernetes.io/connector: ""},
  annotations: {fabedge.io/node-public-addresses: 203.0.113.12}},
  status: {addresses: [{type: InternalIP, address: 172.16.0.12}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: worker-1, labels: {topology.kubernetes.io/region: north}},
  status: {addresses: [{type: InternalIP, address: 172.16.0.21}, {type: Hostname, address: worker-1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: shop1, labels: {node-role.kubernetes.io/edge: ""}},
  status: {addresses: [{type: InternalIP, address: 192.168.1.10}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: shop2, labels: {node-role.kubernetes.io/edge: ""}},
  status: {addresses: [{type: InternalIP, address: 192.168.1.10}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: depot, labels: {node-role.kubernetes.io/edge: "",
  topology.kubernetes.io/region: north}}}
---
{apiVersion: orillo.io/v1alpha1, kind: Community, metadata: {name: shops},
  spec: {members: [shop1, lab.shop2]}}
---
{apiVersion: orillo.io/v1alpha1, kind: Device, metadata: {name: shop2}, spec: {hubs: [connector-2]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {clusterIP: 10.96.0.80,
  ports: [{port: 80, targetPort: 8080}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, ports: [{port: 8080}],
  metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}, endpoints: [
    {addresses: [10.200.3.5], nodeName: shop1}, {addresses: [10.200.4.5], nodeName: shop2},
    {addresses: [10.200.5.5]}, {addresses: [10.200.2.5], nodeName: depot},
    {addresses: [10.200.5.6], conditions: {ready: false}}]}
"""


def demo(extra: str = "") -> Inventory:
    """The demo's inventory, and what `extra` manifests add to it."""
    return read_inventory(read_text(f"{DEMO}\n---\n{extra}"), FABRIC)


def identities(names: Iterable[str]) -> dict[str, Identity]:
    """One enrolment of each."""
    return {name: Identity("lab", name, f"{place:08x}") for place, name in enumerate(sorted(names))}


def plans(inventory: Inventory, enrolled: Iterable[str] | None = None) -> dict[str, Plan]:
    """The plans of `inventory` with nothing held before; everybody is enrolled unless it is said who."""
    names = inventory.nodes if enrolled is None else enrolled
    allocations = allot(inventory, FABRIC, {})
    return make_plans(inventory, FABRIC, allocations, identities(names), TRUST, "root@test")


def explained(inventory: Inventory, a: str, b: str, enrolled: Iterable[str] | None = None) -> Explanation:
    """The explanation of two nodes of `inventory`, as `plans` enrols them."""
    names = inventory.nodes if enrolled is None else enrolled
    return explain(inventory, FABRIC, allot(inventory, FABRIC, {}), identities(names), a, b)


NAMES = [f"n{number}" for number in range(9)]


@st.composite
def nodes(draw: st.DrawFn, name: str) -> Node:
    """A node of any role; some came with a prefix of their own, in the pool or beside it."""
    role = draw(st.sampled_from(Role))
    number = NAMES.index(name)
    pool = draw(st.sampled_from([None, None, "10.200", "10.77"]))
    return Node(
        name=name,
        place=Place(role, draw(st.sampled_from(["here", name])), draw(st.sampled_from(["", "north"]))),
        addresses=draw(st.sampled_from([(), (f"203.0.113.{number}",)])),
        underlay=() if role is Role.EDGE else (ip_address(f"172.16.0.{number}"),),
        prefixes=(ip_network(f"{pool}.{number * 2}.0/23"),) if pool else (),
        hubs=tuple(draw(st.lists(st.sampled_from(NAMES), max_size=2))),
        cloud=draw(st.booleans()),
        uplink=draw(st.sampled_from(Uplink)),
        lan=(ip_network(f"172.20.{number}.0/24"),) if role is Role.EDGE and draw(st.booleans()) else (),
    )


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    """Some nodes, communities of names (also of nodes that are not there), and services."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    communities = {
        name: draw(_communities(name))
        for name in draw(st.lists(st.sampled_from(["red", "green"]), unique=True))
    }
    service = Service(
        "default", "web", (ip_address("10.96.0.1"),), (_HTTP,), draw(st.lists(_BACKENDS).map(tuple))
    )
    return Inventory(
        {name: draw(nodes(name)) for name in sorted(names)}, {"default/web": service}, communities
    )


@st.composite
def _communities(draw: st.DrawFn, name: str) -> Community:
    """One whose members open connections both ways, or from some to some."""
    senders, receivers = draw(_SOME), draw(_SOME)
    on_down, allow = draw(st.sampled_from(OnDown)), draw(_ALLOW)
    if draw(st.booleans()):
        return Community(name, senders, allow, on_down=on_down)
    both = tuple(dict.fromkeys((*senders, *receivers)))
    return Community(name, both, allow, senders, receivers, on_down)


_SOME = st.lists(st.sampled_from(NAMES), unique=True).map(tuple)
_HTTP = NamedPort("http", Protocol.TCP, 80)
_ALLOW = st.sampled_from([(), (PortRange(protocol=Protocol.TCP, first=80, last=90),)])
_BACKENDS = st.builds(
    Backend,
    address=st.sampled_from([ip_address(f"10.200.{block}.9") for block in range(20)]),
    node=st.sampled_from(["", *NAMES]),
    ports=st.just((_HTTP,)),
)
