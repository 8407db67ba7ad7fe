# SPDX-License-Identifier: Apache-2.0
"""One plan for each enrolled device, out of inventory, settings, allocations and identities."""

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec.structs import replace

from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Cni, Dns, Plan, Trust
from appliance.netcore.plan.values import Address
from cloud.planner.allocation import Allocation
from cloud.planner.clusters import with_clusters
from cloud.planner.fabric import Fabric
from cloud.planner.model import Inventory, Node
from cloud.planner.peers import peers_of
from cloud.planner.policy import groups_of, rules_of
from cloud.planner.services import headless_records, services_of
from cloud.planner.uplinks import PROFILES
from cloud.planner.world import World

#: Placeholders: whoever keeps the plans numbers and dates them, and only when they changed.
_FIRST_GENERATION = 1
_NEVER = datetime.fromtimestamp(0, UTC)
_NOBODY = Trust(ca=(), plan_keys={})


def make_plans(
    inventory: Inventory,
    fabric: Fabric,
    allocations: Mapping[str, Allocation],
    identities: Mapping[str, Identity],
    trust: Trust,
    author: str,
) -> dict[str, Plan]:
    """The plans by the device's name, of those that are enrolled, allotted and in the inventory.

    Generation 1 and the epoch are placeholders. Equal arguments give equal plans.
    """
    world = World(inventory, fabric, allocations, identities)
    return {name: plan_of(world, node, trust, author) for name, node in sorted(world.devices.items())}


def plan_of(world: World, node: Node, trust: Trust, author: str) -> Plan:
    """The plan of one of the world's devices, with placeholders as in `make_plans`."""
    frame = world.frames.get(node.name)
    if frame is None:
        frame = _frame(world, node)
        world.keep_frame(node.name, frame)
    dns = replace(frame.dns, records=headless_records(world, node))
    plan = replace(frame, author=author, trust=trust, dns=dns, services=services_of(world, node))
    return with_clusters(plan, world, node)


def _frame(world: World, node: Node) -> Plan:
    """The plan without what services have a part in, and without author and trust."""
    allocation = world.allocations[node.name]
    fabric = world.fabric
    return Plan(
        generation=_FIRST_GENERATION,
        issued_at=_NEVER,
        author="",
        identity=world.identities[node.name],
        place=node.place,
        prefixes=allocation.prefixes,
        overlay=allocation.overlay,
        fabric=(*fabric.ranges, *world.outside(edges_only=not node.is_edge)),
        service_range=fabric.service_ranges,
        trust=_NOBODY,
        lan=node.lan,
        dns=Dns(fabric.domain, _bind(fabric, node)),
        underlay=node.underlay,
        tunnel=PROFILES[node.uplink],
        peers=peers_of(world, node),
        policy=rules_of(world, node),
        cni=_cni(node),
        groups=groups_of(world, node),
    )


def _cni(node: Node) -> Cni | None:
    """Edges always run our CNI. A node of the cloud that came with its prefixes has the cluster's own."""
    return Cni() if node.is_edge or not (node.prefixes or node.cluster_network) else None


def _bind(fabric: Fabric, node: Node) -> tuple[Address, ...]:
    """Where the device's DNS cache listens; empty: at its overlay addresses.

    Pods of the cluster's own CNI ask the cluster's DNS, whose node-local cache has the very address of ours.
    """
    return fabric.dns_bind if _cni(node) else ()
