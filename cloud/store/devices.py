# SPDX-License-Identifier: Apache-2.0
"""The devices that have enrolled: every instance of each, of which one at most is valid."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from appliance.netcore.plan.exchange import Report
from appliance.netcore.plan.values import decode, encode
from cloud.replicas.books import Enrolment
from cloud.store.database import Database, to_text, to_time

_COLUMNS = "name, instance, enrolled_at, last_seen, revoked_at, report"


@dataclass(frozen=True)
class StoredDevice:
    """One enrolment of a device, and what it last said of itself."""

    name: str
    instance: str
    enrolled_at: datetime
    last_seen: datetime | None
    revoked_at: datetime | None
    report: Report | None


class Devices:
    """The table of devices."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: Whose valid enrolment was written and not yet asked for.
        self.news: set[str] = set()
        #: Of whom anything was written since somebody took them from here.
        self.touched: set[str] = set()

    def latest(self, names: Collection[str] | None = None) -> dict[str, StoredDevice]:
        """The last enrolment, valid or revoked, of each of these names, or of each that there is."""
        if names is None:
            rows = self._database.rows(f"SELECT {_COLUMNS} FROM devices ORDER BY name, enrolled_at")  # noqa: S608
        else:
            one = f"SELECT {_COLUMNS} FROM devices WHERE name = ? ORDER BY enrolled_at"  # noqa: S608
            rows = [row for name in names for row in self._database.rows(one, name)]
        return {row[0]: _device(*row) for row in rows}

    def valid(self) -> dict[str, str]:
        """The valid instance of each name."""
        return dict(self._database.rows("SELECT name, instance FROM devices WHERE revoked_at IS NULL"))

    def valid_instance(self, name: str) -> str | None:
        """The valid instance of `name`, or None if it has none."""
        statement = "SELECT instance FROM devices WHERE name = ? AND revoked_at IS NULL"
        rows = self._database.rows(statement, name)
        return str(rows[0][0]) if rows else None

    def revoked_since(self, moment: datetime) -> list[tuple[str, str]]:
        """Name and instance of every enrolment that was revoked after `moment`."""
        return self._database.rows(
            "SELECT name, instance FROM devices WHERE revoked_at > ? ORDER BY name, instance", to_text(moment)
        )

    def instance_with(self, name: str, key: str) -> str | None:
        """The valid instance of `name`, if it enrolled with the key of this fingerprint."""
        statement = "SELECT instance FROM devices WHERE name = ? AND key = ? AND revoked_at IS NULL"
        rows = self._database.rows(statement, name, key)
        return str(rows[0][0]) if rows else None

    def enroll(self, name: str, instance: str, now: datetime, key: str) -> None:
        """Make `instance`, with the key of this fingerprint, the valid one of `name`.

        Its predecessor is revoked.
        """
        self.revoke(name, now)
        self._told(name)
        values = (name, instance, to_text(now), key)
        self._database.run(
            "INSERT INTO devices (name, instance, enrolled_at, key) VALUES (?, ?, ?, ?)", *values
        )

    def revoke(self, name: str, now: datetime) -> bool:
        """Make the valid instance of `name` invalid; whether there was one."""
        self._told(name)
        statement = "UPDATE devices SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL"
        return self._database.run(statement, to_text(now), name) > 0

    def mirror(self, name: str, enrolments: Sequence[Enrolment]) -> None:
        """The enrolments of `name` are these, as another replica may have written them; reports are kept."""
        self._told(name)
        kept = {each.instance for each in enrolments}
        rows = self._database.rows("SELECT instance FROM devices WHERE name = ?", name)
        for (instance,) in rows:
            if instance not in kept:
                self._database.run("DELETE FROM devices WHERE name = ? AND instance = ?", name, instance)
        for each in sorted(enrolments, key=lambda each: each.revoked is None):  # one is valid at any moment
            revoked = to_text(each.revoked) if each.revoked else None
            self._database.run(
                "INSERT INTO devices (name, instance, enrolled_at, revoked_at, key) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (name, instance) DO UPDATE SET revoked_at = excluded.revoked_at",
                name,
                each.instance,
                to_text(each.at),
                revoked,
                each.key,
            )

    def enrolments(self) -> dict[str, tuple[Enrolment, ...]]:
        """Every enrolment of each name, the oldest first."""
        found: dict[str, tuple[Enrolment, ...]] = {}
        columns = "name, instance, enrolled_at, revoked_at, key"
        statement = f"SELECT {columns} FROM devices ORDER BY name, enrolled_at"  # noqa: S608
        for name, instance, at, revoked, key in self._database.rows(statement):
            one = Enrolment(instance, to_time(at), to_time(revoked) if revoked else None, key)
            found[name] = (*found.get(name, ()), one)
        return found

    def _told(self, name: str) -> None:
        self.news.add(name)
        self.touched.add(name)

    def reported(self, report: Report, now: datetime) -> None:
        """Keep the last report of an instance."""
        self.touched.add(report.identity.name)
        self._database.run(
            "UPDATE devices SET last_seen = ?, report = ? WHERE name = ? AND instance = ?",
            to_text(now),
            encode(report),
            report.identity.name,
            report.identity.instance,
        )


def _device(
    name: str, instance: str, enrolled: str, seen: str | None, revoked: str | None, report: bytes | None
) -> StoredDevice:
    return StoredDevice(
        name=name,
        instance=instance,
        enrolled_at=to_time(enrolled),
        last_seen=to_time(seen) if seen else None,
        revoked_at=to_time(revoked) if revoked else None,
        report=decode(report, Report) if report else None,
    )
