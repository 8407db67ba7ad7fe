# SPDX-License-Identifier: Apache-2.0
"""Manifests in, inventory out, with everything that contradicts itself told at once."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from appliance.netcore.plan.values import convert
from cloud.planner.backends import read_services, service_problems
from cloud.planner.clashes import (
    fabric_clashes,
    lan_clashes,
    node_clashes,
    service_clashes,
    strange_services,
    unusable_prefixes,
)
from cloud.planner.communities import community_problems, community_warnings, read_community
from cloud.planner.fabric import Fabric
from cloud.planner.model import Backend, Community, Inventory, InventoryError, NamedPort, Node, Service
from cloud.planner.networks import (
    annotation_problems,
    pool_clashes,
    read_clusters,
    read_pod_network,
    read_pools,
)
from cloud.planner.nodes import node_problems, node_warnings, read_nodes, role_clashes
from cloud.planner.roles import RoleLabels
from cloud.source import objects
from cloud.source.clusters import Cluster, ClusterDocument
from cloud.source.manifest import Manifest

__all__ = [
    "Backend",
    "Community",
    "Inventory",
    "InventoryError",
    "NamedPort",
    "Node",
    "Service",
    "read_inventory",
]

T = TypeVar("T")

#: FabEdge's Cluster is another thing than ours.
FABEDGE = "fabedge.io/v1alpha1"


def read_inventory(manifests: Iterable[Manifest], fabric: Fabric | None = None) -> Inventory:
    """The inventory in `manifests`; with `fabric`, what clashes with its settings is found here too.

    Raises `InventoryError` with all problems. Fields that the planner does not read are passed over.
    """
    kept = sorted(manifests, key=lambda manifest: manifest.key)
    raw_nodes = _named(kept, "Node", objects.Node)
    devices = _named(kept, "Device", objects.Device)
    raw_pools = _named(kept, "IPPool", objects.IPPool)
    by = fabric.roles if fabric else RoleLabels()
    network = read_pod_network(raw_pools.values(), _all(kept, "IPAMBlock", objects.IPAMBlock))
    nodes, warnings = read_nodes(raw_nodes, devices, network, by)
    communities = {
        name: read_community(community, nodes)
        for name, community in _named(kept, "Community", objects.Community).items()
    }
    services = read_services(
        _all(kept, "Service", objects.Service), _all(kept, "EndpointSlice", objects.EndpointSlice)
    )
    inventory = Inventory(
        nodes,
        services,
        communities,
        others=_documents(kept),
        pools=read_pools(raw_pools),
        warnings=(*warnings, *node_warnings(nodes), *community_warnings(communities, nodes, fabric)),
    )
    if fabric:
        theirs = (manifest for manifest in kept if manifest.api_version == FABEDGE)
        raw_clusters = _named(theirs, "Cluster", objects.FabedgeCluster)
        clusters, apart = read_clusters(raw_clusters, nodes, fabric)
        told = (*inventory.warnings, *apart, *strange_services(inventory, fabric))
        inventory = replace(inventory, clusters=clusters, warnings=told)
    problems = (
        *_given_twice(kept),
        *role_clashes(raw_nodes, devices, by),
        *annotation_problems(raw_nodes),
        *node_problems(nodes, nodes),
        *node_clashes(nodes),
        *lan_clashes(nodes),
        *unusable_prefixes(nodes),
        *service_problems(services),
        *community_problems(communities),
        *_names_of_two(kept),
        *(fabric_clashes(inventory, fabric) if fabric else ()),
        *(service_clashes(inventory, fabric) if fabric else ()),
        *(pool_clashes(inventory.pools, fabric) if fabric else ()),
    )
    if problems:
        raise InventoryError(problems)
    return inventory


def _names_of_two(manifests: Iterable[Manifest]) -> Iterator[str]:
    """Another cluster's operator is enrolled by its name, as a device is."""
    names = {manifest.name for manifest in manifests if manifest.kind in ("Node", "Device")}
    for manifest in manifests:
        ours = manifest.kind == "Cluster" and manifest.api_version != FABEDGE
        if ours and manifest.name in names:
            yield f"Cluster {manifest.name} has the name of a Node: rename the Node"


def _documents(manifests: Iterable[Manifest]) -> dict[str, ClusterDocument]:
    """What other clusters have said, of those that have said anything by a CA that their object admits."""
    ours = (manifest for manifest in manifests if manifest.api_version != FABEDGE)
    found = _named(ours, "Cluster", Cluster)
    said = {name: (one.spec, one.status.document) for name, one in found.items()}
    return {name: document for name, (spec, document) in said.items() if document and spec.admits(document)}


def _all(manifests: Iterable[Manifest], kind: str, shape: type[T]) -> list[T]:
    return [convert(manifest.body, shape) for manifest in manifests if manifest.kind == kind]


def _named(manifests: Iterable[Manifest], kind: str, shape: type[T]) -> dict[str, T]:
    return {manifest.name: convert(manifest.body, shape) for manifest in manifests if manifest.kind == kind}


def _given_twice(manifests: Iterable[Manifest]) -> Iterator[str]:
    seen: set[tuple[str, str, str]] = set()
    for manifest in manifests:
        if manifest.key in seen:
            yield f"{manifest.title} is there twice: keep one of the two"
        seen.add(manifest.key)
