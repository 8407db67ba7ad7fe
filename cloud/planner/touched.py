# SPDX-License-Identifier: Apache-2.0
"""Whose plan a change may change. It may name too many, never too few.

A difference is looked at twice, in the world as it was before and as it is after: whoever had to do with the
old thing is touched, and whoever has to do with the new one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from appliance.netcore.plan.values import Role
from cloud.planner.model import Backend, Service
from cloud.planner.world import World


@dataclass(frozen=True)
class Difference:
    """What is different: nodes (or what they hold, or their enrolment), communities, services as they are."""

    nodes: frozenset[str]
    communities: frozenset[str]
    services: Mapping[str, Service | None]


def audience(world: World, different: Difference, others: Mapping[str, Service | None]) -> set[str]:
    """The devices of `world` that know of it; `others` are the services on the other side of the change."""
    found: set[str] = set()
    for name in different.nodes:
        if name in world.devices:
            found |= _who_knows(world, name)
    for name in different.communities:
        found |= world.members(name) & world.devices.keys()
        found |= _names(world, Role.CONNECTOR)
    for key, service in different.services.items():
        if len(found) == len(world.devices):
            break
        if service is not None:
            found |= _who_sees(world, service, others.get(key), different.nodes)
    return found


def _who_knows(world: World, name: str) -> set[str]:
    """An edge is known to the cloud and to its companions; a device of the cloud to everyone."""
    node = world.devices[name]
    if not node.is_edge:
        return set(world.devices)
    companions = {other.name for other in world.companions(node)}
    return {name} | companions | _names(world, Role.CONNECTOR, Role.CLOUD_NODE)


def _who_sees(world: World, service: Service, other: Service | None, nodes: frozenset[str]) -> set[str]:
    if other is None or replace(service, backends=()) != replace(other, backends=()):
        return set(world.devices)
    changed = set(service.backends) ^ set(other.backends)
    changed |= {backend for backend in service.backends if world.whereabouts(backend) in nodes}
    return _who_reaches(world, changed & set(service.backends))


def _who_reaches(world: World, backends: Iterable[Backend]) -> set[str]:
    found: set[str] = set()
    for home in {world.whereabouts(backend) for backend in backends}:
        found |= _names(world, *_CLOUD)  # also what runs at a node that is not enrolled
        node = world.devices.get(home)
        if node is None:
            continue
        found |= {home, *(other.name for other in world.companions(node))}
        if not node.is_edge:
            found |= {edge.name for edge in world.of_role(Role.EDGE) if edge.cloud}
    return found


_CLOUD = (Role.CONNECTOR, Role.CLOUD_NODE)


def _names(world: World, *roles: Role) -> set[str]:
    return {node.name for node in world.of_role(*roles)}
