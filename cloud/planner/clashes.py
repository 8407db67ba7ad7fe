# SPDX-License-Identifier: Apache-2.0
"""Prefixes of the manifests that overlap one another, or the fabric's own ranges."""

from collections.abc import Iterator, Mapping

from appliance.netcore.plan.values import host_prefix
from cloud.planner.blocks import Claims
from cloud.planner.fabric import Fabric
from cloud.planner.model import Inventory, Node


def node_clashes(nodes: Mapping[str, Node]) -> Iterator[str]:
    """Overlapping podCIDRs of nodes."""
    claims = Claims()
    for name, node in nodes.items():
        for prefix in node.prefixes:
            if other := claims.claim(prefix, name):
                yield (
                    f"podCIDR {prefix} of node {name} overlaps {other[0]} of node {other[1]}: "
                    "give one of them another prefix"
                )


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
        for address in node.underlay:
            if other := ranges.holder(host_prefix(address)):
                yield (
                    f"address {address} of node {name} lies in {other[1]} {other[0]}: "
                    "choose another range for the fabric"
                )
