# SPDX-License-Identifier: Apache-2.0
"""The nftables table as one object: loaded whole when its rules change, else patched by elements."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from appliance.netcore.ruleset import Delta, Elements, Packed, Ruleset, difference

#: The one key of this table of tables.
FIREWALL = "inet orillo"

#: Reading every element back costs seconds at ten thousand services, so a pass does it this seldom (seconds).
_READ_BACK_AFTER = 300.0


class Nft(Protocol):
    """The door, as `kernel.nft.NftTable` is one."""

    async def exists(self) -> bool: ...

    async def digest(self) -> str | None: ...

    async def elements(self) -> Mapping[str, Elements]: ...

    async def replace(self, wanted: Ruleset) -> None: ...

    async def change(self, delta: Delta) -> None: ...

    async def delete(self) -> None: ...


class FirewallTable:
    """The firewall for `reconcile`: its one object is `FIREWALL`.

    Rules are compared on every pass, by digest and seal. Elements are remembered as they were put, and read
    back after a start, after a failure, and every `read_back_after` seconds by `clock`.
    """

    def __init__(
        self, nft: Nft, clock: Callable[[], float] = time.monotonic, read_back_after: float = _READ_BACK_AFTER
    ) -> None:
        self._nft = nft
        self._clock = clock
        self._read_back_after = read_back_after
        self._there: Packed | None = None
        self._read_at = 0.0

    async def observe(self) -> Mapping[str, Ruleset]:
        """What is loaded; a table that somebody changed the rules of counts as absent, and is loaded anew."""
        digest = await self._nft.digest()
        if digest is None:
            self._there = None
            return {}
        if self._there is None or self._there.digest != digest or self._stale():
            self._remember(Ruleset(digest, await self._nft.elements()))
        return {FIREWALL: self._there.ruleset()} if self._there else {}

    async def put(self, key: str, value: Ruleset) -> None:
        """Load the difference in one transaction; after a failure the next pass reads back what is true."""
        there = self._there.ruleset() if self._there else None
        self._there = None
        if there is None or there.digest != value.digest:
            await self._nft.replace(value)
        elif delta := difference(there.elements, value.elements):
            await self._nft.change(delta)
        self._remember(value)

    async def delete(self, key: str) -> None:
        """Remove the table and forget it."""
        self._there = None
        await self._nft.delete()

    def _stale(self) -> bool:
        return self._clock() - self._read_at >= self._read_back_after

    def _remember(self, ruleset: Ruleset) -> None:
        self._there, self._read_at = Packed(ruleset), self._clock()


async def purge(nft: Nft) -> list[str]:
    """Remove the table, for `orillo purge`; what was removed. Raises `DoorError`."""
    was_there = await nft.exists()
    await nft.delete()
    return [f"nft table {FIREWALL}"] if was_there else []
