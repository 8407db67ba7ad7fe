# SPDX-License-Identifier: Apache-2.0
"""The peers of a device. Of two devices each is the other's peer, or neither is."""

from collections.abc import Iterable

from appliance.netcore.plan.model import Peer
from appliance.netcore.plan.values import Path, Role
from cloud.planner.model import Node
from cloud.planner.policy import groups_of, may_meet, on_down, ruled_groups
from cloud.planner.uplinks import dpd_for
from cloud.planner.world import World


def are_peers(world: World, one: Node, other: Node) -> bool:
    """Whether the two need to know each other."""
    if one.name == other.name:
        return False
    if one.is_connector or other.is_connector or not (one.is_edge or other.is_edge):
        return True  # a connector relays for every edge, also for one that may not talk to the cloud
    return bool(world.hubs) and may_meet(world, one, other)


def peers_of(world: World, node: Node) -> dict[str, Peer]:
    """The peers of `node`, by name."""
    order = () if node.is_connector else world.hub_order(node)
    priorities = {hub: 10 * place for place, hub in enumerate(order, start=1)}
    ruled = ruled_groups(world, node)
    return {
        other.name: _peer(world, node, other, ruled, priorities.get(other.name))
        for other in _candidates(world, node)
        if (node.is_connector and other is not node) or are_peers(world, node, other)
    }


def _candidates(world: World, node: Node) -> Iterable[Node]:
    """The devices that may be peers of `node`: of edges, most are strangers to each other."""
    if not node.is_edge:
        return world.devices.values()
    cloud = world.of_role(Role.CONNECTOR, Role.CLOUD_NODE)
    return {other.name: other for others in (cloud, world.companions(node)) for other in others}.values()


def _peer(world: World, node: Node, other: Node, ruled: frozenset[str], priority: int | None) -> Peer:
    """`other` as `node` sees it: the same object for all that see the same."""
    theirs = groups_of(world, other)
    groups = theirs if ruled.issuperset(theirs) else tuple(group for group in theirs if group in ruled)
    paths = paths_between(node, other)
    seen = world.seen_peers.setdefault(other.name, {})
    down = on_down(world, node, other)
    delay = dpd_for(node.uplink, other.uplink) if node.is_connector and other.is_edge else None
    look = (groups, paths, node.is_edge, priority, down, delay)  # all that depends on who looks
    peer = seen.get(look)
    if peer is None:
        allocation = world.allocations[other.name]
        peer = seen[look] = Peer(
            role=other.place.role,
            ike_id=world.identities[other.name].ike_id,
            overlay=allocation.overlay,
            prefixes=(*allocation.prefixes, *other.lan),
            groups=groups,
            paths=paths,
            addresses=other.dial if other.is_connector else (),
            underlay=() if node.is_edge else other.underlay,
            priority=priority,
            on_down=down,
            dpd_delay=delay,
        )
    return peer


def paths_between(one: Node, other: Node) -> tuple[Path, ...]:
    """How the two reach each other, the best way first."""
    if one.is_edge or other.is_edge:
        return (Path.HUB,)
    if not (one.is_connector and other.is_connector):
        return (Path.UNDERLAY,)
    if one.underlay and other.underlay:
        return (Path.UNDERLAY, Path.HUB)
    return (Path.HUB,)
