# SPDX-License-Identifier: Apache-2.0
"""Who may talk to whom: groups and rules."""

from appliance.netcore.plan.model import PortRange, Rule
from appliance.netcore.plan.values import Protocol
from cloud.planner.model import Community, Node
from cloud.planner.world import World

EDGE = "edge"
CLOUD = "cloud"


def cloud_pair(one: Node, other: Node) -> bool:
    """Whether one is an edge that may talk to the cloud, and the other is of the cloud."""
    return one.is_edge != other.is_edge and (one if one.is_edge else other).cloud


def may_meet(world: World, one: Node, other: Node) -> bool:
    """Whether any connection between the two is allowed. The cloud's own nodes are not our business."""
    if not (one.is_edge or other.is_edge):
        return True
    return cloud_pair(one, other) or bool(world.shared(one, other))


def may_use(world: World, one: Node, other: Node, protocol: Protocol, port: int) -> bool:
    """Whether the two may talk by this port."""
    if one.name == other.name or not (one.is_edge or other.is_edge) or cloud_pair(one, other):
        return True
    return any(_allows(community.allow, protocol, port) for community in world.shared(one, other))


def _allows(allow: tuple[PortRange, ...], protocol: Protocol, port: int) -> bool:
    return not allow or any(
        entry.protocol is protocol
        and (entry.first is None or entry.last is None or entry.first <= port <= entry.last)
        for entry in allow
    )


def groups_of(world: World, node: Node) -> tuple[str, ...]:
    """The device's own groups. An edge that may not talk to the cloud is in no built-in one."""
    built_in = (EDGE if node.is_edge else CLOUD,) if node.cloud or not node.is_edge else ()
    return (*built_in, *(community.group for community in world.communities_of(node)))


def ruled_groups(world: World, node: Node) -> frozenset[str]:
    """The groups that `node` has rules about: no others of its peers are its business."""
    rules = rules_of(world, node).values()
    return frozenset(group for rule in rules for group in (rule.source, rule.destination))


def rules_of(world: World, node: Node) -> dict[str, Rule]:
    """The rules that `node` needs: a connector all of them, the others those that they are in."""
    rules = {community.group: _rule(community) for community in _ruled_communities(world, node)}
    if node.cloud or not node.is_edge:
        rules["edge-to-cloud"] = Rule(source=EDGE, destination=CLOUD)
        rules["cloud-to-edge"] = Rule(source=CLOUD, destination=EDGE)
    return dict(sorted(rules.items()))


def _rule(community: Community) -> Rule:
    return Rule(source=community.group, destination=community.group, allow=community.allow)


def _ruled_communities(world: World, node: Node) -> tuple[Community, ...]:
    if not node.is_connector:
        return world.communities_of(node)
    # A community that no enrolled device is in has no traffic, and a rule about nobody is an error.
    return tuple(
        community
        for _, community in sorted(world.inventory.communities.items())
        if community.nodes(world.fabric.cluster) & world.devices.keys()
    )
