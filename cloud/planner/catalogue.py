# SPDX-License-Identifier: Apache-2.0
"""The inventory kept up to date object by object: only what changed is read and checked anew."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.netcore.plan.values import Address, Prefix, convert
from cloud.planner.backends import SERVICE_LABEL, read_services
from cloud.planner.blocks import Claims
from cloud.planner.clashes import (
    fabric_clashes,
    lan_clashes,
    prefix_clash,
    service_clashes,
    unusable_prefixes,
)
from cloud.planner.communities import community_problems, read_community
from cloud.planner.fabric import Fabric
from cloud.planner.model import Community, Inventory, Node, Service
from cloud.planner.networks import annotation_problems
from cloud.planner.nodes import node_problems, read_nodes, role_clashes
from cloud.source import objects
from cloud.source.manifest import Manifest

Key = tuple[str, str, str]
#: What an object became: a manifest, or None if it is gone.
Change = tuple[Key, Manifest | None]

_SHAPES: dict[str, Any] = {
    "Node": objects.Node,
    "Device": objects.Device,
    "Service": objects.Service,
    "EndpointSlice": objects.EndpointSlice,
    "Community": objects.Community,
}


@dataclass
class Delta:
    """What is different in the inventory, as it was before: None for what was not there."""

    nodes: dict[str, Node | None] = field(default_factory=dict)
    services: dict[str, Service | None] = field(default_factory=dict)
    communities: dict[str, Community | None] = field(default_factory=dict)


class Catalogue:
    """The objects, read, and the inventory in them, whose dictionaries change with `put`."""

    def __init__(self, fabric: Fabric) -> None:
        self.inventory = Inventory({}, {}, {})
        self._fabric = fabric
        self._manifests: dict[Key, Manifest] = {}
        self._read: dict[str, dict[Key, Any]] = {kind: {} for kind in _SHAPES}
        self._slices: dict[Key, dict[Key, objects.EndpointSlice]] = {}
        self._hub_users: dict[str, set[str]] = {}
        self._prefixes = Claims()
        self._claimed: dict[str, tuple[Prefix, ...]] = {}
        self._addresses: dict[Address, str] = {}
        self._owned: dict[str, tuple[Address, ...]] = {}
        self._clashes: list[str] = []
        self._ties = 0

    @property
    def manifests(self) -> Mapping[Key, Manifest]:
        """What was put."""
        return self._manifests

    @property
    def ties(self) -> bool:
        """Whether there are objects that are not read here, and that every node depends on."""
        return self._ties > 0

    def put(self, changes: Iterable[Change]) -> Delta:
        """Take these in. What they contradict, `problems` tells; to put the old ones again undoes it."""
        nodes: set[str] = set()
        services: set[Key] = set()
        communities: set[str] = set()
        for key, manifest in changes:
            kind, _, name = key
            if kind in ("Node", "Device"):
                nodes.add(name)
            elif kind == "Service":
                services.add(key)
            elif kind == "EndpointSlice":
                services |= self._put_slice(key, manifest)
            elif kind == "Community":
                communities.add(name)
            self._put(key, manifest)
        self._clashes = []
        delta = Delta()
        self._renew_nodes(nodes, delta)
        self._renew_services(services, delta)
        if delta.nodes:
            communities |= {key[2] for key, raw in self._read["Community"].items() if _selects(raw)}
        self._renew_communities(communities, delta)
        return delta

    def problems(self, delta: Delta) -> Iterator[str]:
        """Everything that contradicts itself in what is different."""
        every = self.inventory
        users = {user for name in delta.nodes for user in self._hub_users.get(name, ())}
        nodes = {name: every.nodes[name] for name in sorted({*delta.nodes, *users}) if name in every.nodes}
        services = {name: every.services[name] for name in sorted(delta.services) if name in every.services}
        part = Inventory(nodes, services, {})
        raw_nodes, devices = (self._some(kind, delta.nodes) for kind in ("Node", "Device"))
        yield from role_clashes(raw_nodes, devices, self._fabric.roles)
        yield from annotation_problems(raw_nodes)
        yield from node_problems(nodes, every.nodes)
        yield from unusable_prefixes(nodes)
        yield from self._clashes
        if delta.nodes and any(node.lan for node in every.nodes.values()):
            yield from lan_clashes(every.nodes)
        yield from community_problems(sorted(delta.communities.keys() & every.communities.keys()))
        yield from fabric_clashes(part, self._fabric)
        yield from service_clashes(part, self._fabric)

    def _put(self, key: Key, manifest: Manifest | None) -> None:
        was_there = key in self._manifests
        if manifest is None:
            self._manifests.pop(key, None)
        else:
            self._manifests[key] = manifest
        if key[0] not in _SHAPES:
            self._ties += (key in self._manifests) - was_there
        else:
            self._read[key[0]].pop(key, None)
            if manifest is not None:
                self._read[key[0]][key] = convert(manifest.body, _SHAPES[key[0]])

    def _put_slice(self, key: Key, manifest: Manifest | None) -> set[Key]:
        """The services that the slice was of, and is of."""
        found = set()
        for part in (self._read["EndpointSlice"].get(key), _as_slice(manifest)):
            name = part.metadata.labels.get(SERVICE_LABEL) if part else None
            if part and name:
                service = ("Service", part.metadata.namespace or "default", name)
                found.add(service)
        for service in found:
            self._slices.setdefault(service, {}).pop(key, None)
        part = _as_slice(manifest)
        name = part.metadata.labels.get(SERVICE_LABEL) if part else None
        if part and name:
            self._slices[("Service", part.metadata.namespace or "default", name)][key] = part
        return found

    def _some(self, kind: str, names: Iterable[str]) -> dict[str, Any]:
        read = self._read[kind]
        return {name: read[(kind, "", name)] for name in sorted(names) if (kind, "", name) in read}

    def _renew_nodes(self, names: set[str], delta: Delta) -> None:
        nodes = self.inventory.nodes
        found, _ = read_nodes(self._some("Node", names), self._some("Device", names), by=self._fabric.roles)
        for name in sorted(names):
            if (old := nodes.pop(name, None)) != found.get(name):
                delta.nodes[name] = old
            if old:
                for hub in old.hubs:
                    self._hub_users[hub].discard(name)
            for prefix in self._claimed.pop(name, ()):
                self._prefixes.release(prefix)
        for name, node in found.items():
            nodes[name] = node
            for hub in node.hubs:
                self._hub_users.setdefault(hub, set()).add(name)
            self._claim(name, node.prefixes)

    def _claim(self, name: str, prefixes: tuple[Prefix, ...]) -> None:
        claimed = []
        for prefix in prefixes:
            if other := self._prefixes.claim(prefix, name):
                self._clashes.append(prefix_clash(prefix, name, *other))
            else:
                claimed.append(prefix)
        self._claimed[name] = tuple(claimed)

    def _renew_services(self, keys: set[Key], delta: Delta) -> None:
        services = self.inventory.services
        for key in sorted(keys):
            name = f"{key[1]}/{key[2]}"
            raw = self._read["Service"].get(key)
            found = read_services([raw], self._slices.get(key, {}).values()) if raw else {}
            new = found.get(name)
            if (old := services.pop(name, None)) != new:
                delta.services[name] = old
            for address in self._owned.pop(name, ()):
                self._addresses.pop(address, None)
            if new is not None:
                services[name] = new
        for name in sorted(f"{key[1]}/{key[2]}" for key in keys):
            if name in services:
                self._own(name, services[name].addresses)

    def _own(self, name: str, addresses: tuple[Address, ...]) -> None:
        owned = []
        for address in addresses:
            other = self._addresses.setdefault(address, name)
            if other == name:
                owned.append(address)
            else:
                one, two = sorted((other, name))
                self._clashes.append(
                    f"services {one} and {two} both have the clusterIP {address}: change one of them"
                )
        self._owned[name] = tuple(owned)

    def _renew_communities(self, names: set[str], delta: Delta) -> None:
        communities = self.inventory.communities
        raws = self._some("Community", names)
        for name in sorted(names):
            new = read_community(raws[name], self.inventory.nodes) if name in raws else None
            if (old := communities.pop(name, None)) != new:
                delta.communities[name] = old
            if new is not None:
                communities[name] = new


def _selects(community: objects.Community) -> bool:
    """Whether the members follow from nodes' labels."""
    spec = community.spec
    sides = (each for each in (spec.from_, spec.to) if each)
    return spec.selector is not None or any(side.selector for side in sides)


def _as_slice(manifest: Manifest | None) -> objects.EndpointSlice | None:
    return convert(manifest.body, objects.EndpointSlice) if manifest else None
