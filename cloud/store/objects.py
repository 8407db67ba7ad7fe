# SPDX-License-Identifier: Apache-2.0
"""The manifests as their owners wrote them."""

from collections.abc import Iterable

import msgspec

from cloud.source.manifest import Manifest
from cloud.store.database import Database

Key = tuple[str, str, str]


class Objects:
    """The table of manifests, keyed by kind, namespace and name."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: What was written and not yet asked for: each object, or None where it was deleted.
        self.news: dict[Key, Manifest | None] = {}

    def all(self) -> dict[Key, Manifest]:
        """Every object that is kept, by key and in its order."""
        rows = self._database.rows("SELECT document FROM objects ORDER BY kind, namespace, name")
        manifests = (msgspec.json.decode(document, type=Manifest) for (document,) in rows)
        return {manifest.key: manifest for manifest in manifests}

    def put(self, manifests: Iterable[Manifest]) -> None:
        """Keep these, in the place of those with the same key."""
        for manifest in manifests:
            document = msgspec.json.encode(manifest)
            self._database.run("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", *manifest.key, document)
            self.news[manifest.key] = manifest

    def delete(self, keys: Iterable[Key]) -> None:
        """Forget these; one that is absent is forgotten already."""
        for key in keys:
            self._database.run("DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?", *key)
            self.news[key] = None
