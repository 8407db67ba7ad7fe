# SPDX-License-Identifier: Apache-2.0
"""May A reach B, by which way, and why or why not: the planner's own rules, in words."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec

from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import PortRange
from appliance.netcore.plan.values import Path
from cloud.planner.allocation import Allocation
from cloud.planner.fabric import Fabric
from cloud.planner.model import Inventory, Node
from cloud.planner.peers import paths_between
from cloud.planner.policy import cloud_pair, may_open
from cloud.planner.world import World


class Step(StrEnum):
    """What was looked at, in the order in which it is."""

    KNOWN = "known"
    POLICY = "policy"
    PORTS = "ports"
    ENROLLED = "enrolled"
    PATH = "path"


class Reason(msgspec.Struct, frozen=True):
    """One step: whether it is fulfilled, a sentence that says how, and what to do if it is not."""

    step: Step
    ok: bool
    text: str
    remedy: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """Whether `a` may open connections to `b`, and how they get there.

    `allowed` is the policy's word, `back` the same for the other direction; `reachable` says that they are
    enrolled and that there is a path, too.
    `path` is `local`, `hub` or `underlay`, empty if there is none. `hubs` are those of each edge, best first,
    where the path is by hub. `ports` are what is allowed, as `TCP 80` or `UDP 5000-5010`; none means all.
    """

    a: str
    b: str
    allowed: bool
    reachable: bool
    reasons: tuple[Reason, ...]
    path: str = ""
    hubs: dict[str, tuple[str, ...]] = {}
    ports: tuple[str, ...] = ()
    back: bool = False


def explain(
    inventory: Inventory,
    fabric: Fabric,
    allocations: Mapping[str, Allocation],
    identities: Mapping[str, Identity],
    a: str,
    b: str,
) -> Explanation:
    """Why the nodes `a` and `b` may or may not reach each other; a name that nobody has is a reason too."""
    known = tuple(_known(inventory, name) for name in dict.fromkeys((a, b)))
    if not all(reason.ok for reason in known):
        return Explanation(a, b, False, False, tuple(reason for reason in known if not reason.ok))
    world = World(inventory, fabric, allocations, identities)
    one, other = inventory.nodes[a], inventory.nodes[b]
    ports = _ports(world, one, other)
    reasons = (
        _policy(world, one, other),
        *_port_reason(ports),
        *_enrolment(world, one, other),
        _path(world, one, other),
    )
    allowed = reasons[0].ok
    reachable = all(reason.ok for reason in reasons)
    path = _way(one, other) if reasons[-1].ok else ""
    hubs = (
        {node.name: world.hub_order(node) for node in (one, other) if node.is_edge} if path == "hub" else {}
    )
    back = allowed if a == b else may_open(world, other, one)
    return Explanation(a, b, allowed, reachable, reasons, path, hubs, ports, back)


def _known(inventory: Inventory, name: str) -> Reason:
    if name in inventory.nodes:
        return Reason(Step.KNOWN, True, f"{name} is {_role(inventory.nodes[name])}.")
    names = ", ".join(sorted(inventory.nodes)) or "none yet"
    remedy = f"Apply a Node or a Device called {name}, or use one of the names that exist: {names}."
    return Reason(Step.KNOWN, False, f"There is no node called {name}.", remedy)


def _role(node: Node) -> str:
    return f"an {node.place.role}" if node.is_edge else f"a {node.place.role}"


def _policy(world: World, one: Node, other: Node) -> Reason:
    if one.name == other.name:
        return Reason(Step.POLICY, True, f"{one.name} may always reach itself.")
    if not (one.is_edge or other.is_edge):
        return Reason(Step.POLICY, True, f"{one.name} and {other.name} are both in the cloud's own network.")
    if cloud_pair(one, other):
        edge, cloud = (one, other) if one.is_edge else (other, one)
        text = f"{edge.name} is an edge that may talk to the cloud, and {cloud.name} is {_role(cloud)}."
        return Reason(Step.POLICY, True, text)
    if opening := world.opens(one, other):
        both = [community.name for community in opening if not community.one_way]
        if both:
            return Reason(Step.POLICY, True, f"Both are in the {_plural('community', 'communities', both)}.")
        names = _plural("community", "communities", [community.name for community in opening])
        text = f"The {names} lets {one.name} open connections to {other.name}."
        return Reason(Step.POLICY, True, text)
    if world.shared(one, other):
        return _wrong_way(world, one, other)
    return _apart(world, one, other)


def _wrong_way(world: World, one: Node, other: Node) -> Reason:
    """Why only the other one may open connections."""
    names = _plural("community", "communities", [community.name for community in world.shared(one, other)])
    text = f"The {names} lets {other.name} open connections to {one.name}, and not the other way round."
    remedy = f"Apply a Community that lets {one.name} open connections to {other.name}."
    return Reason(Step.POLICY, False, text, remedy)


def _apart(world: World, one: Node, other: Node) -> Reason:
    """Why the policy lets no connection pass."""
    both = f"{one.name} and {other.name}"
    text = f"{both} share no community: {_membership(world, one)}; {_membership(world, other)}."
    remedy = f"Apply a Community that has both {both} as members."
    if one.is_edge != other.is_edge:
        edge = one if one.is_edge else other
        text = f"The Device {edge.name} says `cloud: deny`, and {text}"
        remedy = f"Set spec.cloud of the Device {edge.name} to allow, or {remedy[0].lower()}{remedy[1:]}"
    return Reason(Step.POLICY, False, text, remedy)


def _membership(world: World, node: Node) -> str:
    names = [community.name for community in world.communities_of(node)]
    return f"{node.name} is in {_plural('community', 'communities', names) if names else 'none'}"


def _plural(one: str, many: str, names: list[str]) -> str:
    return f"{one if len(names) == 1 else many} {', '.join(names)}"


def _ports(world: World, one: Node, other: Node) -> tuple[str, ...]:
    """What the shared communities allow; nothing if one of them, or another rule, allows every port."""
    shared = world.opens(one, other)
    unlimited = one.name == other.name or (one.is_edge != other.is_edge and cloud_pair(one, other))
    if unlimited or not all(community.allow for community in shared):
        return ()
    return tuple(sorted({_text(entry) for community in shared for entry in community.allow}))


def _text(entry: PortRange) -> str:
    if entry.first is None:
        return entry.protocol.upper()
    last = "" if entry.last in (None, entry.first) else f"-{entry.last}"
    return f"{entry.protocol.upper()} {entry.first}{last}"


def _port_reason(ports: tuple[str, ...]) -> Iterator[Reason]:
    if ports:
        yield Reason(Step.PORTS, True, f"Only these ports are open between them: {', '.join(ports)}.")


def _enrolment(world: World, *nodes: Node) -> Iterator[Reason]:
    for node in {node.name: node for node in nodes}.values():
        if node.name in world.devices:
            yield Reason(Step.ENROLLED, True, f"{node.name} is enrolled.")
        else:
            remedy = f"Run `orillo-cloud token create --name {node.name}`, and `orillo enroll` on the device."
            yield Reason(
                Step.ENROLLED, False, f"{node.name} is not enrolled, so nobody has it as a peer.", remedy
            )


def _way(one: Node, other: Node) -> str:
    return "local" if one.name == other.name else str(paths_between(one, other)[0])


def _path(world: World, one: Node, other: Node) -> Reason:
    way = _way(one, other)
    if way == "local":
        return Reason(Step.PATH, True, "The traffic stays on the device.")
    if way == Path.UNDERLAY:
        return Reason(
            Step.PATH, True, f"{one.name} and {other.name} reach each other in the cloud's own network."
        )
    if not world.hubs:
        text = "There is no hub between them: no enrolled connector has an address to dial."
        return Reason(Step.PATH, False, text, "Enrol a connector that has a public address.")
    if one.is_connector or other.is_connector:
        hub, end = (one, other) if one.is_connector else (other, one)
        return Reason(Step.PATH, True, f"{end.name} has a tunnel to the hub {hub.name} or to one next to it.")
    ends = "; ".join(
        f"{node.name} by {', '.join(world.hub_order(node))}" for node in (one, other) if node.is_edge
    )
    return Reason(Step.PATH, True, f"The path is through hubs, the first one that answers: {ends}.")
