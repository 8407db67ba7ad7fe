# SPDX-License-Identifier: Apache-2.0
"""The store remembers, in whole transactions, over restarts, and for one writer."""

import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from appliance.netcore.plan.exchange import Report
from appliance.netcore.plan.identity import Identity
from cloud.planner.allocation import Allocation
from cloud.source.manifest import Manifest
from cloud.store.database import Database, StoreError, to_text, to_time
from cloud.store.lock import WriterLock
from cloud.store.plans import StoredPlan
from cloud.store.schema import MIGRATIONS
from cloud.store.store import Store
from cloud.store.tokens import Refused, TokenRefusedError

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHOP1 = Manifest("v1", "Node", "", "shop1", {"kind": "Node", "metadata": {"name": "shop1"}})
ALLOCATION = Allocation(
    (ip_network("10.200.1.0/24"), ip_network("fd00:200:0:1::/64")), (ip_address("10.255.0.1"),)
)


class BreakdownError(Exception):
    """Something fails in the middle."""


@pytest.fixture(name="path")
def database_path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture(name="store")
def open_store(path: Path) -> Iterator[Store]:
    store = Store.open(path)
    yield store
    store.close()


def test_everything_survives_a_restart(path: Path) -> None:
    with closing(Store.open(path)) as store, store.transaction():
        store.objects.put([SHOP1])
        store.tokens.add("id", "secret", "shop1", NOW + HOUR)
        store.devices.enroll("shop1", "0a1b2c3d", NOW, "key")
        store.allocations.put({"shop1": ALLOCATION})
        store.plans.put(StoredPlan("shop1", 3, "digest", "fingerprint", b"{}"))
    with closing(Store.open(path)) as store:
        assert store.objects.all() == {("Node", "", "shop1"): SHOP1}
        assert [token.id for token in store.tokens.all()] == ["id"]
        assert store.devices.valid() == {"shop1": "0a1b2c3d"}
        assert store.allocations.all() == {"shop1": ALLOCATION}
        assert store.plans.get("shop1") == StoredPlan("shop1", 3, "digest", "fingerprint", b"{}")


def test_half_a_transaction_is_none(store: Store) -> None:
    with pytest.raises(BreakdownError):
        _break_down_after(store, lambda: store.objects.put([SHOP1]))
    assert store.objects.all() == {}
    with store.transaction():
        store.objects.put([SHOP1])
    assert store.objects.all()


def test_files_are_for_their_owner_only(store: Store, path: Path) -> None:
    with store.transaction():
        store.objects.put([SHOP1])
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"store.sqlite": 0o600, "store.sqlite-wal": 0o600, "store.sqlite-shm": 0o600}


def test_it_is_written_as_safely_as_sqlite_can(path: Path) -> None:
    with closing(Database.open(path)) as database:
        assert database.rows("PRAGMA journal_mode") == [("wal",)]
        assert database.rows("PRAGMA synchronous") == [(2,)]


def test_put_replaces_and_delete_of_nothing_is_fine(store: Store) -> None:
    other = Manifest("v1", "Node", "", "shop1", {"changed": True})
    with store.transaction():
        store.objects.put([SHOP1])
        store.objects.put([other])
        store.objects.delete([("Node", "", "depot")])
    assert list(store.objects.all().values()) == [other]


def test_token_is_used_once(store: Store) -> None:
    store.tokens.add("id", "secret", "shop1", NOW + HOUR)
    assert store.tokens.redeem("id", "secret", NOW).name == "shop1"
    assert _refusal(store, "id", "secret") is Refused.USED
    assert store.tokens.all()[0].used_at == NOW


def test_a_token_for_many_is_used_as_often_as_it_says(store: Store) -> None:
    store.tokens.add("id", "secret", "node-*", NOW + HOUR, uses=2)
    for asked in ("shop1", "node-", "node-1.x", ""):
        assert _refusal(store, "id", "secret", asked) is Refused.NAME
    for asked in ("node-1", "node-2"):
        assert store.tokens.redeem("id", "secret", NOW, asked).admit(asked, NOW) == asked
    assert _refusal(store, "id", "secret", "node-3") is Refused.USED
    assert (store.tokens.all()[0].used, store.tokens.all()[0].uses) == (2, 2)


def test_a_revoked_token_is_unknown(store: Store) -> None:
    store.tokens.add("id", "secret", "shop1", NOW + HOUR)
    assert store.tokens.revoke("id")
    assert not store.tokens.revoke("id")
    assert _refusal(store, "id", "secret") is Refused.UNKNOWN


def test_token_that_was_rolled_back_was_not_used(store: Store) -> None:
    store.tokens.add("id", "secret", "shop1", NOW + HOUR)
    with pytest.raises(BreakdownError):
        _break_down_after(store, lambda: store.tokens.redeem("id", "secret", NOW))
    assert store.tokens.redeem("id", "secret", NOW).name == "shop1"


def test_token_expires(store: Store) -> None:
    store.tokens.add("id", "secret", "shop1", NOW)
    assert _refusal(store, "id", "secret") is Refused.EXPIRED


def test_only_its_holder_learns_what_became_of_a_token(store: Store) -> None:
    store.tokens.add("id", "secret", "shop1", NOW)
    store.tokens.redeem("id", "secret", NOW - HOUR)
    assert _refusal(store, "id", "guess") is Refused.UNKNOWN
    assert _refusal(store, "other", "secret") is Refused.UNKNOWN


def test_secrets_are_not_in_the_store(store: Store, path: Path) -> None:
    with store.transaction():
        store.tokens.add("id", "a-very-secret-text", "shop1", NOW + HOUR)
    assert not any(b"a-very-secret-text" in file.read_bytes() for file in path.parent.iterdir())


def test_successor_revokes_its_predecessor(store: Store) -> None:
    store.devices.enroll("shop1", "11111111", NOW, "key")
    store.devices.enroll("shop1", "22222222", NOW + HOUR, "other")
    assert store.devices.valid() == {"shop1": "22222222"}
    assert store.devices.valid_instance("shop1") == "22222222"
    assert store.devices.revoked_since(NOW) == [("shop1", "11111111")]
    assert store.devices.revoked_since(NOW + HOUR) == []
    assert store.devices.latest()["shop1"].instance == "22222222"
    assert store.devices.instance_with("shop1", "other") == "22222222"
    assert store.devices.instance_with("shop1", "key") is None, "its key came in, and was shut out"


def test_revoked_device_is_still_listed(store: Store) -> None:
    store.devices.enroll("shop1", "11111111", NOW, "key")
    assert store.devices.revoke("shop1", NOW)
    assert not store.devices.revoke("shop1", NOW)
    assert store.devices.valid_instance("shop1") is None
    assert store.devices.latest()["shop1"].revoked_at == NOW


def test_report_goes_to_its_instance(store: Store) -> None:
    store.devices.enroll("shop1", "11111111", NOW, "key")
    report = Report(
        identity=Identity("lab", "shop1", "11111111"),
        agent="0.1.0",
        at=NOW,
        generation=1,
        digest="",
        ipsec="libipsec",
    )
    store.devices.reported(report, NOW + HOUR)
    device = store.devices.latest()["shop1"]
    assert (device.report, device.last_seen) == (report, NOW + HOUR)


def test_allocations_of_the_gone_are_kept(store: Store) -> None:
    store.allocations.put({"shop1": ALLOCATION})
    store.allocations.put({"shop2": Allocation()})
    assert store.allocations.all() == {"shop1": ALLOCATION, "shop2": Allocation()}


def test_older_store_is_brought_forward_with_a_backup(path: Path) -> None:
    with closing(Store.open(path)) as store:
        store.devices.enroll("shop1", "11111111", NOW, "key")
    further = (*MIGRATIONS, "ALTER TABLE devices ADD COLUMN note TEXT NOT NULL DEFAULT 'none'")
    with closing(Database.open(path, further)) as database:
        assert database.rows("SELECT name, note FROM devices") == [("shop1", "none")]
    backup = path.with_name(f"store.sqlite.schema-{len(MIGRATIONS)}")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with closing(Store.open(backup)) as store:
        assert store.devices.valid() == {"shop1": "11111111"}


#: A store as the first version made it, with one row in each table.
_SCHEMA_1 = """
CREATE TABLE objects (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, document BLOB NOT NULL,
    PRIMARY KEY (kind, namespace, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE tokens (
    id TEXT PRIMARY KEY, secret_hash BLOB NOT NULL, name TEXT NOT NULL,
    expires_at TEXT NOT NULL, used_at TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE devices (
    name TEXT NOT NULL, instance TEXT NOT NULL, enrolled_at TEXT NOT NULL,
    last_seen TEXT, revoked_at TEXT, report BLOB,
    PRIMARY KEY (name, instance)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_valid_instance ON devices (name) WHERE revoked_at IS NULL;
CREATE TABLE allocations (name TEXT PRIMARY KEY, document BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE plans (
    name TEXT PRIMARY KEY, generation INTEGER NOT NULL, digest TEXT NOT NULL,
    fingerprint TEXT NOT NULL, document BLOB
) STRICT;
INSERT INTO objects VALUES ('Node', '', 'shop1', CAST('{"api_version":"v1","kind":"Node","namespace":"",
"name":"shop1","body":{"kind":"Node","metadata":{"name":"shop1"}}}' AS BLOB));
INSERT INTO tokens VALUES ('id', x'2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b', 'shop1',
'2126-01-02T03:04:05.000678Z', NULL);
INSERT INTO devices VALUES ('shop1', '11111111', '2026-01-02T03:04:05.000678Z', NULL, NULL, NULL);
INSERT INTO allocations VALUES ('shop1', CAST('{"prefixes":["10.200.1.0/24","fd00:200:0:1::/64"],
"overlay":["10.255.0.1"]}' AS BLOB));
INSERT INTO plans VALUES ('shop1', 3, 'digest', 'fingerprint', CAST('{}' AS BLOB));
PRAGMA user_version = 1;
"""


def test_a_store_of_the_first_version_has_all_that_was_in_it(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(_SCHEMA_1)
    with closing(Store.open(path)) as store:
        assert store.objects.all() == {("Node", "", "shop1"): SHOP1}
        assert store.devices.valid() == {"shop1": "11111111"}
        assert store.allocations.all() == {"shop1": ALLOCATION}
        assert store.plans.all()["shop1"].generation == 3
        with store.transaction():
            assert store.tokens.redeem("id", "secret", NOW).name == "shop1"
    backup = path.with_name("store.sqlite.schema-1")
    assert backup.exists() == bool(MIGRATIONS[1:])
    if backup.exists():
        with closing(sqlite3.connect(backup)) as connection:
            assert connection.execute("SELECT name, used_at FROM tokens").fetchall() == [("shop1", None)]


def test_failed_migration_changes_nothing(path: Path) -> None:
    Store.open(path).close()
    with pytest.raises(StoreError, match=r"store\.sqlite can't be used"):
        Database.open(path, (*MIGRATIONS, "ALTER TABLE devices ADD COLUMN note TEXT; nonsense"))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        columns = {row[1] for row in connection.execute("PRAGMA table_info(devices)")}
    assert "note" not in columns


def test_newer_store_is_left_alone(path: Path) -> None:
    Database.open(path, (*MIGRATIONS, "SELECT 1")).close()
    with pytest.raises(StoreError, match="written by a newer orillo-cloud"):
        Store.open(path)


def test_damaged_store_is_told(path: Path) -> None:
    path.write_bytes(b"this is no database, however long one looks at it" * 100)
    with pytest.raises(StoreError, match=r"store\.sqlite can't be used"):
        Store.open(path)


def test_one_writer(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = WriterLock.take(path)
    assert lock
    assert WriterLock.take(path) is None
    lock.release()
    with WriterLock.take(path) or pytest.fail("the lock was not released"):
        assert WriterLock.take(path) is None


def test_times_sort_as_text() -> None:
    moments = [NOW, NOW.replace(microsecond=0), NOW + HOUR, NOW - HOUR]
    assert sorted(moments) == [to_time(text) for text in sorted(map(to_text, moments))]


def _break_down_after(store: Store, write: Callable[[], object]) -> None:
    with store.transaction():
        write()
        raise BreakdownError


def _refusal(store: Store, token_id: str, secret: str, asked: str = "") -> Refused:
    with pytest.raises(TokenRefusedError) as caught:
        store.tokens.redeem(token_id, secret, NOW, asked)
    return caught.value.reason
