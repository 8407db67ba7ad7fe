# SPDX-License-Identifier: Apache-2.0
"""The prefixes and addresses that were allotted: a device keeps its own for as long as it is known."""

from collections.abc import Mapping

from appliance.netcore.plan.values import decode, encode
from cloud.planner.allocation import Allocation
from cloud.store.database import Database


class Allocations:
    """The table of allocations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: What another replica gave, and nobody here knows of yet; None for nothing.
        self.news: dict[str, Allocation | None] = {}

    def all(self) -> dict[str, Allocation]:
        """Every allocation, by device."""
        rows = self._database.rows("SELECT name, document FROM allocations ORDER BY name")
        return {name: decode(document, Allocation) for name, document in rows}

    def mirror(self, name: str, allocation: Allocation) -> None:
        """Another replica gave this to the device; nothing, if it is empty."""
        held = allocation if allocation != Allocation() else None
        if held:
            self.put({name: held})
        else:
            self._database.run("DELETE FROM allocations WHERE name = ?", name)
        self.news[name] = held

    def put(self, allocations: Mapping[str, Allocation]) -> None:
        """Keep these. What a device holds that is gone is kept too: the planner gives it out last."""
        for name, allocation in allocations.items():
            self._database.run("INSERT OR REPLACE INTO allocations VALUES (?, ?)", name, encode(allocation))
