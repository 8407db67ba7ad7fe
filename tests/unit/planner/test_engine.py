# SPDX-License-Identifier: Apache-2.0
"""After any sequence of changes the engine's plans are the full planner's, and it touched whom it had to."""

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.netcore.plan.model import Plan
from cloud.planner.allocation import Allocation, allot
from cloud.planner.compile import make_plans
from cloud.planner.engine import Engine, News
from cloud.planner.inventory import InventoryError, read_inventory
from cloud.planner.services import service_at, services_of
from cloud.planner.world import World
from cloud.source.manifest import Manifest
from tests.unit.planner.worlds import FABRIC, NAMES, TRUST, identities, inventories

IDENTITIES = identities(NAMES)
Key = tuple[str, str, str]


def manifest(version: str, kind: str, name: str, namespace: str = "", **body: Any) -> Manifest:
    """An object by its parts; its labels are in `labels`, its annotations in `annotations`."""
    metadata = {"name": name} | {part: body.pop(part) for part in ("labels", "annotations") if part in body}
    return Manifest(version, kind, namespace, name, {"metadata": metadata} | body)


@st.composite
def node_objects(draw: st.DrawFn) -> Manifest:
    """A Node of any role, at one of two sites or alone, with a prefix in the pool, beside it, or none."""
    name = draw(st.sampled_from(NAMES))
    number = NAMES.index(name)
    role = draw(st.sampled_from(["edge", "edge", "connector", ""]))
    labels = {f"node-role.kubernetes.io/{role}": ""} if role else {}
    labels |= draw(
        st.sampled_from([{}, {"orillo.io/site": "here"}, {"topology.kubernetes.io/region": "north"}])
    )
    public = draw(st.sampled_from(["", f"203.0.113.{number}"]))
    pool = draw(st.sampled_from(["", "", "", "10.77", "10.200"]))
    shift = draw(st.sampled_from([0, 0, 0, 1]))  # a neighbour's, now and then
    return manifest(
        "v1",
        "Node",
        name,
        labels=labels,
        annotations={"fabedge.io/node-public-addresses": public},
        spec={"podCIDRs": [f"{pool}.{(number + shift) * 2}.0/23"] if pool else []},
        status={"addresses": [{"type": "InternalIP", "address": f"172.16.0.{number}"}]},
    )


@st.composite
def device_objects(draw: st.DrawFn) -> Manifest:
    """A Device that denies the cloud, prefers hubs that may not be there, or has a role of its own."""
    spec = draw(
        st.sampled_from(
            [
                {},
                {"cloud": "deny"},
                {"hubs": ["n1"]},
                {"hubs": ["n2", "n1"]},
                {"role": "edge"},
                {"site": "here"},
                {"uplink": "satellite"},
                {"lan": ["192.168.7.0/24"]},
            ]
        )
    )
    return manifest("orillo.io/v1alpha1", "Device", draw(st.sampled_from(NAMES)), spec=spec)


@st.composite
def community_objects(draw: st.DrawFn) -> Manifest:
    """A Community, also of nodes that are not there, for all ports or for some."""
    ports = draw(st.sampled_from([[], [{"port": 80, "endPort": 90}]]))
    members = draw(st.lists(st.sampled_from([*NAMES, "lab.n3", "far.n4"]), min_size=1, max_size=5))
    here: dict[str, Any]
    north: dict[str, Any]
    here, north = (
        {"selector": {"matchLabels": {label: text}}}
        for label, text in (("orillo.io/site", "here"), ("topology.kubernetes.io/region", "north"))
    )
    one_way: dict[str, Any] = {"from": here, "to": {"members": members}}
    who: dict[str, Any] = draw(
        st.sampled_from([{"members": members}, {"members": members}, here, north, one_way])
    )
    down = draw(st.sampled_from(["refuse", "drop", "spill"]))
    spec = who | {"ports": ports, "onTunnelDown": down}
    return manifest("orillo.io/v1alpha1", "Community", draw(st.sampled_from(["red", "green"])), spec=spec)


@st.composite
def tying_objects(draw: st.DrawFn) -> Manifest:
    """A pool of Calico's, on which the prefixes of all nodes depend."""
    cidr = draw(st.sampled_from(["10.78.0.0/16", "10.79.0.0/16"]))
    return manifest("crd.projectcalico.org/v1", "IPPool", "default-pool", spec={"cidr": cidr})


@st.composite
def service_objects(draw: st.DrawFn) -> Manifest:
    """A Service with an address, also one that another has, or a headless one."""
    address = draw(st.sampled_from(["10.96.0.1", "10.96.0.2", "10.96.0.3", "None"]))
    spec = {"clusterIP": address, "ports": [{"name": "http", "port": 80}]}
    return manifest("v1", "Service", draw(st.sampled_from(["web", "db"])), "default", spec=spec)


@st.composite
def slice_objects(draw: st.DrawFn) -> Manifest:
    """An EndpointSlice of either service; backends may be in nobody's prefixes, and lie about their node."""
    service = draw(st.sampled_from(["web", "db"]))
    backend = st.builds(
        lambda pool, block, node: {"addresses": [f"{pool}.{block}.9"], "nodeName": node},
        st.sampled_from(["10.200", "10.77"]),
        st.integers(0, 19),
        st.sampled_from(["", *NAMES]),
    )
    return manifest(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        draw(st.sampled_from(["s1", "s2"])),
        "default",
        labels={"kubernetes.io/service-name": service},
        addressType="IPv4",
        endpoints=draw(st.lists(backend, max_size=4)),
        ports=[{"name": "http", "port": 80}],
    )


OBJECTS = st.one_of(
    node_objects(),
    device_objects(),
    community_objects(),
    service_objects(),
    slice_objects(),
    node_objects(),
    st.integers(0, 3).flatmap(lambda rare: slice_objects() if rare else tying_objects()),
)


def populated() -> tuple[Engine, dict[str, Allocation]]:
    """Two hubs, a node of the cloud and edges, all enrolled, with a community and a service."""
    roles = dict.fromkeys(NAMES, "edge") | {"n1": "connector", "n2": "connector", "n3": ""}
    nodes = [
        manifest(
            "v1",
            "Node",
            name,
            labels={f"node-role.kubernetes.io/{role}": ""} if role else {},
            annotations={"fabedge.io/node-public-addresses": f"203.0.113.{NAMES.index(name)}"},
            status={"addresses": [{"type": "InternalIP", "address": f"172.16.0.{NAMES.index(name)}"}]},
        )
        for name, role in roles.items()
    ]
    red = manifest("orillo.io/v1alpha1", "Community", "red", spec={"members": ["n4", "n5"]})
    ports = [{"name": "http", "port": 80}]
    web = manifest("v1", "Service", "web", "default", spec={"clusterIP": "10.96.0.1", "ports": ports})
    part = manifest(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "s1",
        "default",
        labels={"kubernetes.io/service-name": "web"},
        addressType="IPv4",
        endpoints=[{"addresses": [f"10.200.{block}.9"], "nodeName": ""} for block in (3, 4, 6, 9, 12)],
        ports=ports,
    )
    engine = Engine(FABRIC)
    taken = engine.take(news([(each, True) for each in (*nodes, red, web, part)], dict.fromkeys(NAMES, True)))
    return engine, taken.allotted


#: Objects that are there from now on or are gone, and devices that are enrolled or shut out.
STEPS = st.tuples(
    st.lists(st.tuples(OBJECTS, st.sampled_from([True, True, True, False])), max_size=2),
    st.dictionaries(st.sampled_from(NAMES), st.booleans(), max_size=1),
)


def news(objects: list[tuple[Manifest, bool]], enrolled: dict[str, bool]) -> News:
    """A step as news."""
    changes = {each.key: each if stays else None for each, stays in objects}
    return News(
        tuple(changes.items()),
        {name: IDENTITIES[name] if valid else None for name, valid in enrolled.items()},
    )


def full(engine: Engine, held: dict[str, Allocation]) -> dict[str, Plan]:
    """The full planner's plans of what the engine knows."""
    inventory = read_inventory(engine.manifests.values(), FABRIC)
    allocations = allot(inventory, FABRIC, held)
    assert allocations == dict(engine.allocations)
    return make_plans(inventory, FABRIC, allocations, engine.identities, TRUST, "root@test")


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=2, max_size=10))
def test_equal_to_the_full_planner_after_any_sequence(steps: list[Any]) -> None:
    engine, held = populated()
    kept = full(engine, held)
    for step in steps:
        try:
            taken = engine.take(news(*step))
        except InventoryError:
            assert full(engine, held) == kept  # nothing of it was taken in
            continue
        held |= taken.allotted
        wanted = full(engine, held)
        made = {name: engine.plan(name, TRUST, "root@test") for name in taken.touched}
        kept = {name: plan for name, plan in (kept | made).items() if plan is not None}
        assert kept == wanted


@settings(max_examples=50, deadline=None)
@given(st.lists(STEPS, min_size=2, max_size=8))
def test_what_was_undone_was_never_there(steps: list[Any]) -> None:
    engine, held = populated()
    for step in steps[:-1]:
        try:
            held |= engine.take(news(*step)).allotted
        except InventoryError:
            continue
    before = full(engine, held)
    with suppress(InventoryError):
        engine.undo(engine.take(news(*steps[-1])))
    assert full(engine, held) == before
    assert {name: engine.plan(name, TRUST, "root@test") for name in engine.devices} == before


@settings(max_examples=50)
@given(inventories())
def test_services_seen_alike_are_those_that_each_device_sees(inventory: Any) -> None:
    allocations = allot(inventory, FABRIC, {})
    world = World(inventory, FABRIC, allocations, identities(inventory.nodes))
    for node in world.devices.values():
        plain = {key: service_at(world, node, service) for key, service in inventory.services.items()}
        assert services_of(world, node) == plain
