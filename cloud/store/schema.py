# SPDX-License-Identifier: Apache-2.0
"""The tables, and how an older store becomes one of this version.

`PRAGMA user_version` is the number of migrations that a store has been through. A migration is never
changed once released; the next one is added behind it.
"""

_FIRST = """
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
"""

_COUNTED_TOKENS = """
ALTER TABLE tokens ADD COLUMN uses INTEGER NOT NULL DEFAULT 1;
ALTER TABLE tokens ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
UPDATE tokens SET used = 1 WHERE used_at IS NOT NULL
"""

_PAGES = "CREATE TABLE pages (name TEXT PRIMARY KEY, document BLOB NOT NULL) STRICT, WITHOUT ROWID"

_KEYS = "ALTER TABLE devices ADD COLUMN key TEXT NOT NULL DEFAULT ''"

MIGRATIONS = (_FIRST, _COUNTED_TOKENS, _PAGES, _KEYS)
