# SPDX-License-Identifier: Apache-2.0
"""What must hold inside a plan beyond the shape of its fields."""

from collections.abc import Iterator, Mapping

from appliance.netcore.plan.model import Plan, Service
from appliance.netcore.plan.values import Path, Prefix, Role

_MIN_MTU = 1280  # IPv6's minimum (RFC 8200, section 5); under it the kernel drops a link's IPv6 routes


def check(plan: Plan) -> tuple[str, ...]:
    """The contradictions in `plan`, as sentences; none for a plan that can be applied."""
    return (
        *_numbers(plan),
        *_prefixes(plan),
        *_peers(plan),
        *_policy(plan),
        *service_problems(plan.services),
    )


def _numbers(plan: Plan) -> Iterator[str]:
    if plan.generation < 1:
        yield f"generation {plan.generation} is below 1"
    if plan.tunnel.mtu < _MIN_MTU:
        yield f"tunnel MTU {plan.tunnel.mtu} is below {_MIN_MTU}"
    if plan.tunnel.probe_interval < 1:
        yield f"probe interval {plan.tunnel.probe_interval} s is below 1 s"


def _prefixes(plan: Plan) -> Iterator[str]:
    """Two prefixes overlap only if one is inside the other, and then it follows it in their order."""
    owned = [(prefix, plan.identity.name) for prefix in (*plan.prefixes, *plan.lan)]
    owned += [(prefix, name) for name, peer in sorted(plan.peers.items()) for prefix in peer.prefixes]
    around: list[tuple[Prefix, str]] = []
    for prefix, name in sorted(owned, key=_place):
        while around and not _inside(prefix, around[-1][0]):
            around.pop()
        for other, owner in around:
            if owner != name:
                yield f"prefix {prefix} of {name} overlaps {other} of {owner}"
        around.append((prefix, name))


def _place(item: tuple[Prefix, str]) -> tuple[int, int, int]:
    prefix = item[0]
    return prefix.version, int(prefix.network_address), prefix.prefixlen


def _inside(prefix: Prefix, other: Prefix) -> bool:
    return prefix.version == other.version and prefix.network_address in other


def _peers(plan: Plan) -> Iterator[str]:
    if plan.identity.name in plan.peers:
        yield f"{plan.identity.name} is its own peer"
    can_relay = plan.place.role is Role.CONNECTOR or bool(plan.hubs)
    for name, peer in sorted(plan.peers.items()):
        if peer.priority is not None and peer.role is not Role.CONNECTOR:
            yield f"{name} has a hub's priority but is a {peer.role}"
        if Path.HUB in peer.paths and peer.role is not Role.CONNECTOR and not can_relay:
            yield f"{name} is reached through a hub, and there is none"


def _policy(plan: Plan) -> Iterator[str]:
    known = set(plan.groups).union(*(peer.groups for peer in plan.peers.values()))
    for name, rule in sorted(plan.policy.items()):
        for port in rule.allow:
            if (port.first is None) != (port.last is None) or (port.first or 0) > (port.last or 0):
                yield f"rule {name} has a port range with no sense"
        if not known & {rule.source, rule.destination}:
            yield f"rule {name} is about groups that nobody is in"


def service_problems(services: Mapping[str, Service]) -> Iterator[str]:
    """What is wrong with the services of a plan."""
    seen: dict[tuple[object, ...], str] = {}
    for name, service in sorted(services.items()):
        for port in service.ports.values():
            for address in service.addresses:
                other = seen.setdefault((address, port.protocol, port.port), name)
                if other != name:
                    yield f"services {other} and {name} both want {address} {port.protocol}/{port.port}"
            for backend in port.backends.values():
                if not 0 < backend.port < 65536:
                    yield f"service {name} has a backend port {backend.port}"
