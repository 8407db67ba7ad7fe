# SPDX-License-Identifier: Apache-2.0
"""The door to SQLite: opening, migrating, transactions. SQLite's own errors end here."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from cloud.store.schema import MIGRATIONS

#: The size of pages comes first: in write-ahead mode it stays what it is.
_PRAGMAS = ("page_size=16384", "journal_mode=WAL", "synchronous=FULL", "busy_timeout=2000")


class StoreError(Exception):
    """The store can't be opened, read or written; the text names the file and says what to do."""


class Database:
    """The one connection to a store. Reads may stand alone; writes stand in a `transaction`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    def open(cls, path: Path, migrations: Sequence[str] = MIGRATIONS) -> Self:
        """Open the store at `path`, made or brought forward as needed. Raises `StoreError`.

        `synchronous=FULL`: what a device was told must not be forgotten in a power cut (a used token, a
        generation). `page_size` is that of a new store: a plan of 20 KB lies in two pages, not in five.
        """
        with _told(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(path, isolation_level=None)
            try:
                for pragma in _PRAGMAS:
                    connection.execute(f"PRAGMA {pragma}")
                _migrate(connection, path, migrations)
            except BaseException:
                connection.close()
                raise
        return cls(connection, path)

    def close(self) -> None:
        """Close the connection; SQLite folds the write-ahead log into the file."""
        self._connection.close()

    def copy(self) -> bytes:
        """The whole database as the bytes of a file, as of now. Raises `StoreError`."""
        with _told(self._path):
            return self._connection.serialize()

    def rows(self, statement: str, *values: object) -> list[Any]:
        """The rows of a query. Raises `StoreError`."""
        with _told(self._path):
            return self._connection.execute(statement, values).fetchall()

    def run(self, statement: str, *values: object) -> int:
        """Execute a statement; how many rows it changed. Raises `StoreError`."""
        with _told(self._path):
            return self._connection.execute(statement, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block's writes, or none if it raises. Raises `StoreError`."""
        self.run("BEGIN IMMEDIATE")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self.run("ROLLBACK")
            raise


def to_text(moment: datetime) -> str:
    """A time as it is stored: RFC 3339 in UTC to the microsecond, so that text sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_time(text: str) -> datetime:
    """A stored time."""
    return datetime.fromisoformat(text)


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    (done,) = connection.execute("PRAGMA user_version").fetchone()
    if done > len(migrations):
        raise StoreError(
            f"{path} was written by a newer orillo-cloud (schema {done}): run that one, or newer"
        )
    if 0 < done < len(migrations):
        _back_up(connection, path.with_name(f"{path.name}.schema-{done}"))
    for number, script in enumerate(migrations[done:], done + 1):
        # executescript() would commit first, so that the script itself has to hold the transaction.
        connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")


def _back_up(connection: sqlite3.Connection, target: Path) -> None:
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"the store {path} can't be used: {error}") from error
