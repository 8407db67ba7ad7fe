# SPDX-License-Identifier: Apache-2.0
"""The routes and rules of our table.

Remote prefixes are unreachable from the first moment and whatever else happens; a way to them, with a better
metric, comes on top. What is near is thrown back to the main table, before both, so that a remote supernet
never takes it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address

from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.interfaces import interface
from appliance.netcore.desired.relays import Relay, relays
from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.plan.values import Address, OnDown, Prefix, Role, host_prefix
from appliance.netcore.spec import (
    HOLDER,
    METRIC_FORWARD,
    METRIC_THROW,
    METRIC_UNREACHABLE,
    NEXT_HOPS,
    OWN_TABLE,
    Route,
    RouteKey,
    RouteKind,
    Rule,
    RuleKey,
)


def rules(plan: Plan) -> dict[RuleKey, Rule]:
    """One rule a family, to our table; with tunnels another before it, for what the device itself says."""
    wanted = [Rule(4), Rule(6)]
    if plan.place.role is not Role.CLOUD_NODE:
        own = {address.version: address for address in reversed(plan.overlay)}
        wanted += [Rule(version, OWN_TABLE, OWN_TABLE, own[version]) for version in sorted(own)]
    return {rule.key: rule for rule in wanted}


def routes(plan: Plan, facts: Facts) -> dict[RouteKey, Route]:
    """The wanted routes. No facts can take an unreachable one away: its metric is its own."""
    ways = {Role.EDGE: _from_edge, Role.CONNECTOR: _from_connector, Role.CLOUD_NODE: _from_cloud_node}
    wanted = (
        *_closed(plan),
        *_throws(plan, facts),
        *_services(plan),
        *ways[plan.place.role](plan, facts),
    )
    return {route.key: route for route in wanted}


def _closed(plan: Plan) -> Iterator[Route]:
    """What holds where no way leads: refused, or dropped where a peer's communities want that."""
    for dst in plan.fabric:
        yield Route(dst, RouteKind.UNREACHABLE, METRIC_UNREACHABLE)
    for peer in plan.peers.values():
        silent = peer.on_down is OnDown.DROP
        kind = RouteKind.BLACKHOLE if silent else RouteKind.UNREACHABLE
        for dst in _targets(peer):
            if silent or not _within(dst, plan.fabric):
                yield Route(dst, kind, METRIC_UNREACHABLE)


def _throws(plan: Plan, facts: Facts) -> Iterator[Route]:
    near = [*plan.prefixes, *plan.lan, *facts.connected, *map(host_prefix, plan.underlay)]
    for peer in plan.peers.values():
        near += map(host_prefix, (*_outer(peer), *peer.underlay))
    for dst in near:
        yield Route(dst, RouteKind.THROW, METRIC_THROW)


def _services(plan: Plan) -> Iterator[Route]:
    """The host's own packets to a cluster address are routed before they are translated."""
    for dst in plan.service_range:
        yield _device(plan, dst, HOLDER)


def _from_edge(plan: Plan, facts: Facts) -> Iterator[Route]:
    for name, hub in plan.hubs.items():
        yield from _own(plan, facts, name, hub)
    if facts.hub not in plan.hubs:
        return
    for peer in plan.peers.values():
        yield from _tunnel(plan, facts, facts.hub, _targets(peer))


def _from_connector(plan: Plan, facts: Facts) -> Iterator[Route]:
    others = relays(plan)
    for name, peer in plan.peers.items():
        if peer.role is Role.EDGE:
            yield from _to_edge(plan, facts, name, peer, others)
        elif peer.role is Role.CONNECTOR:
            yield from _own(plan, facts, name, peer)
            if peer.cluster:
                # What goes to another cluster's gateway has our overlay address by then: it fits the tunnel.
                yield from _tunnel(plan, facts, name, _targets(peer))
            else:
                yield from _to_connector(plan, others.get(name), peer)
        else:
            yield from _underlay(plan, peer, _targets(peer))


def _to_edge(plan: Plan, facts: Facts, name: str, edge: Peer, others: Mapping[str, Relay]) -> Iterator[Route]:
    owner = facts.owners.get(name, "")
    if owner == plan.identity.name:
        yield from _tunnel(plan, facts, name, _targets(edge))
    else:
        yield from _relayed(plan, others.get(owner), _targets(edge))
    if name in facts.probed:
        # Its probes came by its tunnel to us, and the answers go back by it: by way of the owner they would
        # tell of the owner's health, and a dead owner would take every other hub with it.
        yield from _own(plan, facts, name, edge)


def _to_connector(plan: Plan, relay: Relay | None, connector: Peer) -> Iterator[Route]:
    yield from _relayed(plan, relay, tuple(map(host_prefix, connector.overlay)))
    for dst in connector.prefixes:
        way = _gateway(connector, dst)
        # Where the cloud's network lacks a family, the link between the hubs still carries it.
        yield from _underlay(plan, connector, (dst,)) if way else _relayed(plan, relay, (dst,))


def _own(plan: Plan, facts: Facts, name: str, peer: Peer) -> Iterator[Route]:
    """From our overlay address to the peer's, by the tunnel that we have with it and that is for just these.

    What stands behind us has no part in that tunnel, and goes there by the way of all that is behind a hub.
    """
    for route in _tunnel(plan, facts, name, map(host_prefix, peer.overlay)):
        yield replace(route, table=OWN_TABLE)


def _relayed(plan: Plan, relay: Relay | None, targets: tuple[Prefix, ...]) -> Iterator[Route]:
    """To another connector, inside the tunnel between the two."""
    if relay is not None:
        yield from (
            replace(_device(plan, dst, relay.name), gateway=NEXT_HOPS[dst.version]) for dst in targets
        )


def _from_cloud_node(plan: Plan, facts: Facts) -> Iterator[Route]:
    for name, peer in plan.peers.items():
        way = plan.peers.get(facts.owners.get(name, "")) if peer.role is Role.EDGE else peer
        if way is not None:
            yield from _underlay(plan, way, _targets(peer))


def _tunnel(
    plan: Plan, facts: Facts, peer: str, targets: Iterator[Prefix] | tuple[Prefix, ...]
) -> Iterator[Route]:
    """Through the tunnel with `peer`; nothing while its interface is not known."""
    way = interface(plan, facts, peer)
    if way is not None:
        yield from (_device(plan, dst, way.name) for dst in targets)


def _underlay(plan: Plan, way: Peer, targets: tuple[Prefix, ...]) -> Iterator[Route]:
    """By way of a neighbour in the cloud's network, in the families that it has there."""
    for dst in targets:
        gateway = _gateway(way, dst)
        if gateway is not None:
            source = _source(plan, dst)
            yield Route(dst, RouteKind.UNICAST, METRIC_FORWARD, gateway=gateway, source=source)


def _device(plan: Plan, dst: Prefix, device: str) -> Route:
    return Route(dst, RouteKind.UNICAST, METRIC_FORWARD, device=device, source=_source(plan, dst))


def _source(plan: Plan, dst: Prefix) -> Address | None:
    """Our overlay address: what the far end knows us by, and what the traffic selectors hold."""
    return next((address for address in plan.overlay if address.version == dst.version), None)


def _gateway(way: Peer, dst: Prefix) -> Address | None:
    return next((address for address in way.underlay if address.version == dst.version), None)


def _targets(peer: Peer) -> tuple[Prefix, ...]:
    return (*peer.prefixes, *map(host_prefix, peer.overlay))


def _within(dst: Prefix, fabric: tuple[Prefix, ...]) -> bool:
    # Not `subnet_of`: each prefix would keep what that works out, half a kilobyte.
    return any(dst.prefixlen >= pool.prefixlen and dst.network_address in pool for pool in fabric)


def _outer(peer: Peer) -> Iterator[Address]:
    """Where IKE reaches the peer, as far as the plan says it with addresses and not with names."""
    for text in peer.addresses:
        try:
            yield ip_address(text)
        except ValueError:
            continue
