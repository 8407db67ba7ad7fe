# SPDX-License-Identifier: Apache-2.0
"""Prefixes of the manifests that overlap one another, or the fabric's own ranges."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_network

from appliance.netcore.plan.values import Address, Prefix, host_prefix
from cloud.planner.blocks import Claims
from cloud.planner.fabric import Fabric
from cloud.planner.model import Inventory, Node

#: "This" network, loopback, link-local and multicast of both versions (RFC 6890, RFC 4291).
_NOT_FOR_HOSTS: tuple[Prefix, ...] = tuple(
    map(
        ip_network,
        ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8"),
    )
)


def node_clashes(nodes: Mapping[str, Node]) -> Iterator[str]:
    """Overlapping podCIDRs of nodes."""
    claims = Claims()
    for name, node in nodes.items():
        for prefix in node.prefixes:
            if other := claims.claim(prefix, name):
                yield prefix_clash(prefix, name, *other)


def prefix_clash(prefix: Prefix, name: str, other: Prefix, owner: str) -> str:
    """The sentence about two nodes that want the same addresses."""
    return (
        f"podCIDR {prefix} of node {name} overlaps {other} of node {owner}: give one of them another prefix"
    )


def lan_clashes(nodes: Mapping[str, Node]) -> Iterator[str]:
    """Exposed prefixes that overlap those of another node, or that another node stands in itself."""
    claims = Claims()
    for name, node in nodes.items():
        for prefix in node.prefixes:
            claims.claim(prefix, f"podCIDR {prefix} of node {name}")
    for name, node in nodes.items():
        if node.lan and not node.is_edge:
            yield f"Device {name} exposes a LAN, and its role is {node.place.role}: only edges can"
        for prefix in node.lan:
            what = f"LAN {prefix} of device {name}"
            if other := claims.claim(prefix, what):
                yield f"{what} overlaps {other[1]}: expose it at one of them only, or renumber one"
            if not is_for_pods(prefix) or prefix.prefixlen == 0:
                yield f"{what} holds addresses that no host can have: correct spec.lan"
            yield from (
                f"{what} is also where node {other_name} stands ({address}), which would lose its own "
                f"network: renumber one of the two sites, or expose fewer addresses"
                for other_name, address in _standing_in(nodes, name, prefix)
            )


def _standing_in(nodes: Mapping[str, Node], name: str, prefix: Prefix) -> Iterator[tuple[str, Address]]:
    for other, node in nodes.items():
        if other != name:
            yield from ((other, a) for a in (*node.stands_in, *node.underlay) if a in prefix)


def is_for_pods(prefix: Prefix) -> bool:
    """Whether hosts may have addresses of it: no part of it means this host, this link, or many hosts."""
    return not any(prefix.version == bad.version and prefix.overlaps(bad) for bad in _NOT_FOR_HOSTS)


def unusable_prefixes(nodes: Mapping[str, Node]) -> Iterator[str]:
    """podCIDRs that no pod can have an address of."""
    for name, node in nodes.items():
        for prefix in node.prefixes:
            if not is_for_pods(prefix):
                yield (
                    f"podCIDR {prefix} of node {name} holds addresses that no pod can have "
                    "(of this host, of this link, or multicast): choose another prefix"
                )


def service_clashes(inventory: Inventory, fabric: Fabric) -> Iterator[str]:
    """Cluster addresses that are pods' or the overlay's."""
    for name, address, holder in _service_holders(inventory, fabric):
        if holder is not None and holder[0] not in fabric.service_ranges:
            yield (
                f"Service {name} has the clusterIP {address}, which lies in {holder[1]} {holder[0]}: "
                "correct the one or the other"
            )


def strange_services(inventory: Inventory, fabric: Fabric) -> Iterator[str]:
    """Services outside the range that the settings call the cluster's: most likely those are wrong."""
    for name, address, holder in _service_holders(inventory, fabric):
        if holder is None:
            ranges = ", ".join(map(str, fabric.service_ranges)) or "none"
            yield (
                f"Service {name} has the clusterIP {address} outside the service range ({ranges}): "
                "set `services` in cloud.toml to the cluster's own range"
            )


def _service_holders(
    inventory: Inventory, fabric: Fabric
) -> Iterator[tuple[str, Address, tuple[Prefix, str] | None]]:
    ranges = Claims()
    for prefix, what in fabric.ranges.items():
        ranges.claim(prefix, what)
    for name, service in inventory.services.items():
        for address in service.addresses:
            yield name, address, ranges.holder(host_prefix(address))


def fabric_clashes(inventory: Inventory, fabric: Fabric) -> Iterator[str]:
    """podCIDRs in the service range or in the overlay pool, and nodes that stand inside the fabric."""
    reserved, ranges = Claims(), Claims()
    for prefix, what in fabric.ranges.items():
        ranges.claim(prefix, what)
        if prefix not in fabric.pod_pools:
            reserved.claim(prefix, what)
    for name, node in inventory.nodes.items():
        for prefix in node.prefixes:
            if other := reserved.holder(prefix):
                yield f"podCIDR {prefix} of node {name} overlaps {other[1]} {other[0]}: choose another prefix"
        for prefix in node.lan:
            if other := ranges.holder(prefix):
                yield f"LAN {prefix} of device {name} overlaps {other[1]} {other[0]}: renumber one of the two"
        for address in node.underlay:
            if other := ranges.holder(host_prefix(address)):
                yield (
                    f"address {address} of node {name} lies in {other[1]} {other[0]}: "
                    "choose another range for the fabric"
                )
