# SPDX-License-Identifier: Apache-2.0
"""Prefixes and overlay addresses for every node: what it holds stays, the rest comes from the pools."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from appliance.netcore.plan.values import Address, Prefix, host_prefix
from cloud.planner.blocks import Claims, free_blocks
from cloud.planner.clashes import fabric_clashes
from cloud.planner.fabric import Fabric
from cloud.planner.model import Inventory, InventoryError


class AllotmentError(InventoryError):
    """An inventory that can't be given its prefixes; the text says which and what to do."""

    def __init__(self, problem: str) -> None:
        super().__init__((problem,))


@dataclass(frozen=True)
class Allocation:
    """What one node holds: its pods' prefixes and its overlay addresses, IPv4 first."""

    prefixes: tuple[Prefix, ...] = ()
    overlay: tuple[Address, ...] = ()


def allot(inventory: Inventory, fabric: Fabric, held: Mapping[str, Allocation]) -> dict[str, Allocation]:
    """What every node of the inventory holds from now on, by name.

    `spec.podCIDRs` of a manifest come first, then what is `held`, then the first free blocks; what a node
    that is gone still holds is given out last. Raises `InventoryError` for prefixes that clash with the
    fabric, `AllotmentError` for a pool that is used up or a prefix that another node was given before.
    """
    clashes = tuple(fabric_clashes(inventory, fabric))
    if clashes:
        raise InventoryError(clashes)
    prefixes = _allot_prefixes(inventory, fabric, held)
    overlay = _allot_overlay(inventory, fabric, held)
    return {name: Allocation(prefixes[name], overlay[name]) for name in sorted(inventory.nodes)}


def _allot_prefixes(
    inventory: Inventory, fabric: Fabric, held: Mapping[str, Allocation]
) -> dict[str, tuple[Prefix, ...]]:
    names = sorted(inventory.nodes)
    nodes = inventory.nodes
    fixed = {n: nodes[n].prefixes for n in names if nodes[n].prefixes or nodes[n].cluster_network}
    before = {name: in_pools(fabric, nodes[name].allotted) for name in names}
    before |= {name: allocation.prefixes for name, allocation in held.items()}
    taken, kept = _keep(names, fixed, before)
    lengths = {pool: fabric.pod_block(pool) for pool in fabric.pod_pools}
    pools = _Pools("pod pool", lengths, taken, _resting(names, before))
    return {name: fixed[name] if name in fixed else pools.complete(name, kept[name]) for name in names}


def in_pools(fabric: Fabric, allotted: Iterable[Prefix]) -> tuple[Prefix, ...]:
    """What a Node remembers is only a wish: anybody may have written it."""
    return tuple(
        prefix
        for prefix in allotted
        if any(
            prefix.version == pool.version
            and prefix.prefixlen == fabric.pod_block(pool)
            and prefix.subnet_of(pool)  # type: ignore[arg-type]
            for pool in fabric.pod_pools
        )
    )


def _allot_overlay(
    inventory: Inventory, fabric: Fabric, held: Mapping[str, Allocation]
) -> dict[str, tuple[Address, ...]]:
    names = sorted(inventory.nodes)
    before = {name: tuple(map(host_prefix, allocation.overlay)) for name, allocation in held.items()}
    taken, kept = _keep(names, {}, before)
    for pool in fabric.overlay_pools:
        for address in unusable(pool):
            taken.claim(host_prefix(address), "")
    lengths = {pool: pool.max_prefixlen for pool in fabric.overlay_pools}
    pools = _Pools("overlay pool", lengths, taken, _resting(names, before))
    return {
        name: tuple(ip_address(prefix.network_address) for prefix in pools.complete(name, kept[name]))
        for name in names
    }


def unusable(pool: Prefix) -> Iterator[Address]:
    """The subnet-router anycast address (RFC 4291, section 2.6.1); network and broadcast address of IPv4."""
    if pool.num_addresses > 2:
        yield pool.network_address
        if pool.version == 4:
            yield pool.broadcast_address


def _keep(
    names: Iterable[str], fixed: Mapping[str, tuple[Prefix, ...]], before: Mapping[str, tuple[Prefix, ...]]
) -> tuple[Claims, dict[str, list[Prefix]]]:
    """Claims for what is fixed and for what is held; and what each name without a fixed prefix keeps."""
    taken = Claims()
    for name, prefixes in fixed.items():
        for prefix in prefixes:
            taken.claim(prefix, name)
    kept: dict[str, list[Prefix]] = {name: [] for name in names}
    for name in [name for name in kept if name not in fixed]:
        for prefix in before.get(name, ()):
            other = taken.claim(prefix, name)
            if other is None:
                kept[name].append(prefix)
            elif other[1] in fixed and other[0] not in before.get(other[1], ()):
                raise AllotmentError(
                    f"podCIDR {other[0]} of node {other[1]} overlaps {prefix}, which {name} was given "
                    f"before: choose another prefix for {other[1]}, or delete {name} first"
                )
    return taken, kept


def _resting(names: Iterable[str], before: Mapping[str, tuple[Prefix, ...]]) -> Claims:
    """Claims for what nodes hold that are gone."""
    resting = Claims()
    for name in sorted(before.keys() - set(names)):
        for prefix in before[name]:
            resting.claim(prefix, name)
    return resting


class _Pools:
    """Free blocks of the pools of one sort, handed out in order."""

    def __init__(self, what: str, lengths: Mapping[Prefix, int], taken: Claims, resting: Claims) -> None:
        self._what = what
        self._pools = {version: [p for p in lengths if p.version == version] for version in (4, 6)}
        self._taken = taken
        self._free = {version: self._blocks(version, lengths, resting) for version in (4, 6)}

    def _blocks(self, version: int, lengths: Mapping[Prefix, int], resting: Claims) -> Iterator[Prefix]:
        for pool in self._pools[version]:
            yield from free_blocks(pool, lengths[pool], self._taken, resting)
        for pool in self._pools[version]:
            yield from free_blocks(pool, lengths[pool], self._taken)

    def complete(self, name: str, kept: Iterable[Prefix]) -> tuple[Prefix, ...]:
        """What `name` keeps, with a new block of each family that it lacks and that there is a pool for."""
        prefixes = list(kept)
        for version in (4, 6):
            if self._pools[version] and not any(prefix.version == version for prefix in prefixes):
                prefixes.append(self._take(name, version))
        return tuple(sorted(prefixes, key=lambda prefix: (prefix.version, int(prefix.network_address))))

    def _take(self, name: str, version: int) -> Prefix:
        block = next(self._free[version], None)
        if block is None:
            pools = ", ".join(map(str, self._pools[version]))
            raise AllotmentError(
                f"the IPv{version} {self._what} {pools} is used up at node {name}: add a pool"
            )
        self._taken.claim(block, name)
        return block
