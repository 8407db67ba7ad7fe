# SPDX-License-Identifier: Apache-2.0
"""The ledger's pages as they were last seen, for a start while the API server is away."""

from collections.abc import Iterable
from typing import Any

import msgspec

from cloud.replicas.books import Page, read_page, write_page
from cloud.store.database import Database


class StoredPages:
    """The table of pages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Page]:
        """Every page."""
        rows = self._database.rows("SELECT document FROM pages ORDER BY name")
        bodies: list[Any] = [msgspec.json.decode(document) for (document,) in rows]
        return [read_page(body) for body in bodies]

    def clear(self) -> None:
        """Forget all of them."""
        self._database.run("DELETE FROM pages")

    def put(self, pages: Iterable[Page]) -> None:
        """Keep these, in the place of what they were."""
        for page in pages:
            document = msgspec.json.encode(write_page(page))
            self._database.run("INSERT OR REPLACE INTO pages VALUES (?, ?)", page.name, document)
