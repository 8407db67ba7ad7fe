# SPDX-License-Identifier: Apache-2.0
"""Who may talk to whom: groups and rules."""

from appliance.netcore.plan.model import PortRange, Rule
from appliance.netcore.plan.values import OnDown, Protocol
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


def may_open(world: World, one: Node, other: Node) -> bool:
    """Whether `one` may open any connection to `other`."""
    return not (one.is_edge or other.is_edge) or cloud_pair(one, other) or bool(world.opens(one, other))


def may_use(world: World, one: Node, other: Node, protocol: Protocol, port: int) -> bool:
    """Whether `one` may open connections to `other` by this port."""
    if one.name == other.name or not (one.is_edge or other.is_edge) or cloud_pair(one, other):
        return True
    return any(_allows(community.allow, protocol, port) for community in world.opens(one, other))


def _allows(allow: tuple[PortRange, ...], protocol: Protocol, port: int) -> bool:
    return not allow or any(
        entry.protocol is protocol
        and (entry.first is None or entry.last is None or entry.first <= port <= entry.last)
        for entry in allow
    )


def groups_of(world: World, node: Node) -> tuple[str, ...]:
    """The device's own groups. An edge that may not talk to the cloud is in no built-in one."""
    found = world.groups.get(node.name)
    if found is None:
        built_in = (EDGE if node.is_edge else CLOUD,) if node.cloud or not node.is_edge else ()
        found = (*built_in, *world.groups_of(node))
        world.groups[node.name] = found
    return found


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
    return Rule(source=community.source, destination=community.destination, allow=community.allow)


def on_down(world: World, node: Node, other: Node) -> OnDown:
    """What becomes of traffic from `node` to `other` while no tunnel leads there.

    Of several communities the one counts that says `spill`, then one that says `drop`. A connector answers
    for everybody who sends to an edge, and is silent only if all communities of the edge want that.
    """
    if not other.is_edge:
        return OnDown.REFUSE
    if not node.is_edge:
        said = {community.on_down for community in world.communities_of(other)}
        return OnDown.DROP if said == {OnDown.DROP} and node.is_connector else OnDown.REFUSE
    said = {community.on_down for community in world.shared(node, other)}
    return next((way for way in (OnDown.SPILL, OnDown.DROP) if way in said), OnDown.REFUSE)


def _ruled_communities(world: World, node: Node) -> tuple[Community, ...]:
    if not node.is_connector:
        return world.communities_of(node)
    # A community that no enrolled device is in has no traffic, and a rule about nobody is an error.
    return tuple(
        community
        for _, community in sorted(world.inventory.communities.items())
        if not world.members(community.name).isdisjoint(world.devices)
    )
