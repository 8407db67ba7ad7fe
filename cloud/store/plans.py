# SPDX-License-Identifier: Apache-2.0
"""The signed plan of each device."""

from collections.abc import Collection
from dataclasses import dataclass

from cloud.store.database import Database
from cloud.store.heads import PlanHead

_COLUMNS = "name, generation, digest, fingerprint, document"
#: More plans than a device gets in its life.
_LEAP = 1_000_000
#: So many are looked up one by one.
_FEW = 500
_HEAD = "name, generation, digest, document IS NULL, fingerprint"


@dataclass(frozen=True)
class StoredPlan:
    """What a device is told at present.

    `fingerprint` is equal for plans that differ in nothing but number, time and author. `document` is the
    signed plan; it is None for a device that is in the inventory no more, whose numbers go on where they
    were if it returns: devices take no plan with a lower number than their own.
    """

    name: str
    generation: int
    digest: str
    fingerprint: str
    document: bytes | None


class Plans:
    """The table of plans."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: Whose plan was written since somebody took them from here.
        self.touched: set[str] = set()

    def all(self) -> dict[str, StoredPlan]:
        """Every device's plan, by name."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM plans ORDER BY name")  # noqa: S608
        return {row[0]: StoredPlan(*row) for row in rows}

    def heads(self, names: Collection[str] | None = None) -> dict[str, PlanHead]:
        """The plans of these devices, or of all, without the documents: they are far larger than the rest."""
        if names is not None and len(names) < _FEW:
            found = {name: self.head(name) for name in names}
            return {name: head for name, head in found.items() if head is not None}
        return {row[0]: PlanHead(*row) for row in self._database.rows(f"SELECT {_HEAD} FROM plans")}  # noqa: S608

    def head(self, name: str) -> PlanHead | None:
        """One device's plan without its document, or None if it never had one."""
        rows = self._database.rows(f"SELECT {_HEAD} FROM plans WHERE name = ?", name)  # noqa: S608
        return PlanHead(*rows[0]) if rows else None

    def get(self, name: str) -> StoredPlan | None:
        """One device's plan, or None if it never had one."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM plans WHERE name = ?", name)  # noqa: S608
        return StoredPlan(*rows[0]) if rows else None

    def leap(self) -> None:
        """Number on far beyond what anybody can have been told since these were kept; the plans are news."""
        self._database.run("UPDATE plans SET generation = generation + ?, fingerprint = ''", _LEAP)

    def put(self, plan: StoredPlan) -> None:
        """Keep this as what its device is told."""
        self.touched.add(plan.name)
        values = (plan.name, plan.generation, plan.digest, plan.fingerprint, plan.document)
        self._database.run("INSERT OR REPLACE INTO plans VALUES (?, ?, ?, ?, ?)", *values)
