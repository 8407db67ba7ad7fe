# SPDX-License-Identifier: Apache-2.0
"""The store as the application sees it: one object for each table, and transactions over all."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from cloud.store.allocations import Allocations
from cloud.store.database import Database
from cloud.store.devices import Devices
from cloud.store.objects import Objects
from cloud.store.pages import StoredPages
from cloud.store.plans import Plans
from cloud.store.tokens import Tokens


class Store:
    """All that the operator remembers. Only the holder of the `WriterLock` may open it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.objects = Objects(database)
        self.tokens = Tokens(database)
        self.devices = Devices(database)
        self.allocations = Allocations(database)
        self.plans = Plans(database)
        self.pages = StoredPages(database)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the store at `path`, made if it is not there. Raises `StoreError`."""
        return cls(Database.open(path))

    def transaction(self) -> AbstractContextManager[None]:
        """All of the block's writes, or none if it raises. Raises `StoreError`."""
        return self._database.transaction()

    def copy(self) -> bytes:
        """All of it as the bytes of a file, which `open` opens. Raises `StoreError`."""
        return self._database.copy()

    def forget_news(self) -> None:
        """What was written is known to whoever wants to know of it, or was not written after all."""
        self.objects.news.clear()
        self.devices.news.clear()
        self.allocations.news.clear()

    def take_touched(self) -> set[str]:
        """Of whom an enrolment, a report or a plan was written since the last time, if it was kept."""
        touched = self.devices.touched | self.plans.touched
        self.devices.touched, self.plans.touched = set(), set()
        return touched

    def close(self) -> None:
        """Close the store; nothing of it can be used any more."""
        self._database.close()
