# SPDX-License-Identifier: Apache-2.0
"""Who holds which prefix, and which blocks of a pool nobody holds."""

from bisect import bisect_left
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

from appliance.netcore.plan.values import Prefix


class Claims:
    """Prefixes that do not overlap, each with its holder; looking one up takes logarithmic time."""

    def __init__(self) -> None:
        self._ends: dict[int, list[int]] = {4: [], 6: []}
        self._held: dict[int, list[tuple[Prefix, str]]] = {4: [], 6: []}

    def holder(self, prefix: Prefix) -> tuple[Prefix, str] | None:
        """The first prefix that overlaps `prefix`, and who holds it."""
        at = bisect_left(self._ends[prefix.version], int(prefix.network_address))
        for held, owner in self._held[prefix.version][at : at + 1]:
            if int(held.network_address) <= int(prefix.broadcast_address):
                return held, owner
        return None

    def claim(self, prefix: Prefix, owner: str) -> tuple[Prefix, str] | None:
        """Give `prefix` to `owner`, unless it overlaps another one, which is then returned."""
        other = self.holder(prefix)
        if other is None:
            at = bisect_left(self._ends[prefix.version], int(prefix.network_address))
            self._ends[prefix.version].insert(at, int(prefix.broadcast_address))
            self._held[prefix.version].insert(at, (prefix, owner))
        return other

    def release(self, prefix: Prefix) -> None:
        """Nobody holds `prefix` any more, which was claimed."""
        at = bisect_left(self._ends[prefix.version], int(prefix.network_address))
        if self._held[prefix.version][at : at + 1] and self._held[prefix.version][at][0] == prefix:
            del self._ends[prefix.version][at], self._held[prefix.version][at]


def free_blocks(pool: Prefix, length: int, *taken: Claims, start: int | None = None) -> Iterator[Prefix]:
    """The blocks of `length` bits in `pool` that no claim in `taken` overlaps, lowest first, from `start`.

    The claims are looked up as the iterator goes, so that blocks claimed on the way are passed over too.
    """
    size = 1 << (pool.max_prefixlen - length)
    start, last = int(pool.network_address) if start is None else start, int(pool.broadcast_address)
    while start + size - 1 <= last:
        block = _network(pool.version, start, length)
        hits = [int(hit[0].broadcast_address) for claims in taken if (hit := claims.holder(block))]
        if hits:
            start = (max(hits) // size + 1) * size
        else:
            yield block
            start += size


def _network(version: int, start: int, length: int) -> Prefix:
    return IPv4Network((start, length)) if version == 4 else IPv6Network((start, length))
