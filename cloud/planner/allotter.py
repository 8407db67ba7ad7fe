# SPDX-License-Identifier: Apache-2.0
"""Allotment node by node: the work is for the nodes that changed, whatever number of others there is.

What `allot` says of all nodes at once holds here too: of what an `Allotter` gave, it would change nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_address

from appliance.netcore.plan.values import Prefix, host_prefix
from cloud.planner.allocation import Allocation, AllotmentError, in_pools, unusable
from cloud.planner.blocks import Claims, free_blocks
from cloud.planner.fabric import Fabric
from cloud.planner.model import Node

#: By name, what a node had and what it was to have if it came back; None for neither.
Before = dict[str, tuple[Allocation | None, Allocation | None]]


class Allotter:
    """Who holds what. `wants` says for which nodes new blocks are taken; others have what they were given."""

    def __init__(
        self, fabric: Fabric, held: Mapping[str, Allocation], wants: Callable[[str], bool] = lambda _: True
    ) -> None:
        #: What nodes of the inventory have, and what any node was ever given.
        self.allocations: dict[str, Allocation] = {}
        self.held = dict(held)
        self._wants = wants
        self._fabric = fabric
        pods = {pool: fabric.pod_block(pool) for pool in fabric.pod_pools}
        self._pods = _Shelf("pod pool", pods)
        unusable_ones = [host_prefix(address) for pool in fabric.overlay_pools for address in unusable(pool)]
        lengths = {pool: pool.max_prefixlen for pool in fabric.overlay_pools}
        self._overlay = _Shelf("overlay pool", lengths, unusable_ones)
        self._fixed: set[str] = set()
        for name, allocation in self.held.items():
            self._rest(name, allocation)

    def give(self, name: str, allocation: Allocation | None) -> None:
        """What `name` is to hold from now on, as somebody else decided: to be followed by `renew`."""
        self._leave(name)
        self.held.pop(name, None)
        if allocation is not None:
            self.held[name] = allocation
            self._rest(name, allocation)

    def renew(self, nodes: Mapping[str, Node | None]) -> Before:
        """These nodes are others, or gone: what was before of what is different now.

        Raises `AllotmentError`; then everything is as it was.
        """
        before: Before = {}
        fixed = self._fixed & nodes.keys()
        try:
            self._renew(nodes, before)
        except AllotmentError:
            self._fixed = (self._fixed - nodes.keys()) | fixed
            self._restore(before)
            raise
        return {name: old for name, old in before.items() if old != self._state(name)}

    def _restore(self, before: Before) -> None:
        """Everything as it was before a `renew`; the work is for all that is held."""
        for name, (allocation, held) in before.items():
            _put(self.allocations, name, allocation)
            _put(self.held, name, held)
        self._pods.clear()
        self._overlay.clear()
        for name, present in self.allocations.items():
            for prefix in present.prefixes:
                self._pods.taken.claim(prefix, name)
            for address in present.overlay:
                self._overlay.taken.claim(host_prefix(address), name)
        for name in self.held.keys() - self.allocations.keys():
            self._rest(name, self.held[name])

    def _state(self, name: str) -> tuple[Allocation | None, Allocation | None]:
        return self.allocations.get(name), self.held.get(name)

    def _renew(self, nodes: Mapping[str, Node | None], before: Before) -> None:
        before |= {name: self._state(name) for name in nodes}
        for name in nodes:
            self._leave(name)
            self._fixed.discard(name)
        present = {name: node for name, node in sorted(nodes.items()) if node is not None}
        for name in nodes.keys() - present.keys():
            self.allocations.pop(name, None)
            if name in self.held:
                self._rest(name, self.held[name])
        fixed = {n: node.prefixes for n, node in present.items() if node.prefixes or node.cluster_network}
        for name, node in present.items():
            if name not in self.held and (wish := in_pools(self._fabric, node.allotted)):
                self.held[name] = Allocation(wish)
        free = [*(name for name in present if name not in fixed), *self._fix(fixed, before)]
        # All of them keep what they hold before any takes what is free.
        kept = {name: self._keep(name) for name in free}
        addresses = {name: self._keep_overlay(name) for name in sorted({*fixed, *free})}
        for name, overlay in addresses.items():
            allocation = self._complete(name, kept.get(name), fixed.get(name), overlay)
            self.allocations[name] = allocation
            if self._wants(name):
                self.held[name] = allocation

    def _fix(self, fixed: Mapping[str, tuple[Prefix, ...]], before: Before) -> list[str]:
        """Claim what manifests fix; the nodes that have to give way, since it was another's first."""
        displaced = []
        self._fixed |= fixed.keys()
        for name, prefixes in fixed.items():
            for prefix in prefixes:
                while (other := self._pods.taken.claim(prefix, name)) and other[1] not in self._fixed:
                    if prefix not in self.held.get(name, Allocation()).prefixes:
                        raise _given_before(prefix, name, *other)
                    before.setdefault(other[1], self._state(other[1]))
                    self._leave(other[1])
                    displaced.append(other[1])
        return displaced

    def _keep(self, name: str) -> list[Prefix]:
        kept = []
        for prefix in self.held.get(name, Allocation()).prefixes:
            other = self._pods.taken.claim(prefix, name)
            if other is None:
                kept.append(prefix)
            elif other[1] in self._fixed and other[0] not in self.held.get(other[1], Allocation()).prefixes:
                raise _given_before(other[0], other[1], prefix, name)
        return kept

    def _keep_overlay(self, name: str) -> list[Prefix]:
        before = map(host_prefix, self.held.get(name, Allocation()).overlay)
        return [prefix for prefix in before if self._overlay.taken.claim(prefix, name) is None]

    def _complete(
        self,
        name: str,
        kept: list[Prefix] | None,
        fixed: tuple[Prefix, ...] | None,
        addresses: list[Prefix],
    ) -> Allocation:
        wants = self._wants(name)
        pods = self._pods.complete(name, kept or [], wants) if fixed is None else fixed
        overlay = self._overlay.complete(name, addresses, wants)
        return Allocation(pods, tuple(ip_address(prefix.network_address) for prefix in overlay))

    def _rest(self, name: str, allocation: Allocation) -> None:
        for prefix in allocation.prefixes:
            self._pods.resting.claim(prefix, name)
        for address in allocation.overlay:
            self._overlay.resting.claim(host_prefix(address), name)

    def _leave(self, name: str) -> None:
        """Claim nothing for `name`, neither in use nor at rest."""
        allocations = (self.allocations.get(name), self.held.get(name))
        for allocation in filter(None, allocations):
            self._pods.leave(name, allocation.prefixes)
            self._overlay.leave(name, map(host_prefix, allocation.overlay))


def _put(mapping: dict[str, Allocation], name: str, allocation: Allocation | None) -> None:
    if allocation is None:
        mapping.pop(name, None)
    else:
        mapping[name] = allocation


def _given_before(prefix: Prefix, name: str, other: Prefix, owner: str) -> AllotmentError:
    return AllotmentError(
        f"podCIDR {prefix} of node {name} overlaps {other}, which {owner} was given before: choose another "
        f"prefix for {name}, or delete {owner} first"
    )


class _Shelf:
    """The blocks of the pools of one sort: in use, at rest, and free."""

    def __init__(self, what: str, lengths: Mapping[Prefix, int], unusable: Iterable[Prefix] = ()) -> None:
        self._unusable = tuple(unusable)
        self._what = what
        self._lengths = lengths
        self._pools = {version: [p for p in lengths if p.version == version] for version in (4, 6)}
        #: Where to look on: below it nothing is free.
        self._from: dict[tuple[Prefix, bool], int] = {}
        self.clear()

    def clear(self) -> None:
        """Nobody holds anything."""
        #: What nodes hold, and what nodes held that are gone, which is given out last.
        self.taken, self.resting = Claims(), Claims()
        self._from.clear()
        for prefix in self._unusable:
            self.taken.claim(prefix, "")

    def leave(self, name: str, prefixes: Iterable[Prefix]) -> None:
        """Claim none of these for `name`."""
        for prefix in prefixes:
            for claims in (self.taken, self.resting):
                if claims.holder(prefix) == (prefix, name):
                    claims.release(prefix)
                    self._from.clear()

    def complete(self, name: str, kept: Iterable[Prefix], wanted: bool) -> tuple[Prefix, ...]:
        """What `name` keeps, with a new block of each family that it lacks and that there is a pool for."""
        prefixes = list(kept)
        for version in (4, 6) if wanted else ():
            if self._pools[version] and not any(prefix.version == version for prefix in prefixes):
                prefixes.append(self._take(name, version))
        return tuple(sorted(prefixes, key=lambda prefix: (prefix.version, int(prefix.network_address))))

    def _take(self, name: str, version: int) -> Prefix:
        block = next(self._free(version), None)
        if block is None:
            pools = ", ".join(map(str, self._pools[version]))
            raise AllotmentError(
                f"the IPv{version} {self._what} {pools} is used up at node {name}: add a pool"
            )
        self.taken.claim(block, name)
        return block

    def _free(self, version: int) -> Iterator[Prefix]:
        for resting in (True, False):
            for pool in self._pools[version]:
                claims = (self.taken, self.resting) if resting else (self.taken,)
                start = self._from.get((pool, resting), int(pool.network_address))
                for block in free_blocks(pool, self._lengths[pool], *claims, start=start):
                    self._from[pool, resting] = int(block.network_address)
                    yield block
                self._from[pool, resting] = int(pool.broadcast_address) + 1
