# SPDX-License-Identifier: Apache-2.0
"""One pass over one table."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.reconcile.table import ObjectStatus, Phase, reconcile

TABLES = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(0, 3))


class Shelf:
    """A table in memory that can be told to refuse some keys, and that writes down what was asked of it."""

    def __init__(self, content: Mapping[str, int], refuse: Mapping[str, DoorError] | None = None) -> None:
        self.content = dict(content)
        self.refuse = dict(refuse or {})
        self.asked: list[str] = []

    async def observe(self) -> Mapping[str, int]:
        if "observe" in self.refuse:
            raise self.refuse["observe"]
        return dict(self.content)

    async def put(self, key: str, value: int) -> None:
        self.asked.append(f"put {key}")
        if key in self.refuse:
            raise self.refuse[key]
        self.content[key] = value

    async def delete(self, key: str) -> None:
        self.asked.append(f"delete {key}")
        if key in self.refuse:
            raise self.refuse[key]
        self.content.pop(key, None)


@given(before=TABLES, wish=TABLES)
async def test_one_pass_reaches_the_wish_and_a_second_does_nothing(
    before: dict[str, int], wish: dict[str, int]
) -> None:
    shelf = Shelf(before)
    await reconcile(shelf, wish)
    assert shelf.content == wish
    shelf.asked.clear()
    outcome = await reconcile(shelf, wish)
    assert shelf.asked == []
    assert outcome.changed == ()


async def test_puts_come_before_deletes() -> None:
    shelf = Shelf({"old": 1})
    await reconcile(shelf, {"new": 1})
    assert shelf.asked == ["put new", "delete old"]


async def test_one_failure_stops_no_other_object() -> None:
    shelf = Shelf({"z": 1}, {"a": DoorError("no such device"), "b": NotYetError("waiting for charon")})
    outcome = await reconcile(shelf, {"a": 1, "b": 1, "c": 1})
    assert shelf.content == {"c": 1}
    assert outcome.statuses == {
        "a": ObjectStatus(Phase.FAILED, "no such device"),
        "b": ObjectStatus(Phase.WAITING, "waiting for charon"),
        "c": ObjectStatus(Phase.APPLIED),
    }
    count = outcome.count()
    assert (count.applied, count.waiting, count.failed, count.reason) == (1, 1, 1, "no such device")


async def test_table_that_cannot_be_read_is_not_written() -> None:
    shelf = Shelf({"old": 1}, {"observe": NotYetError("waiting for unbound")})
    outcome = await reconcile(shelf, {"new": 1})
    assert shelf.asked == []
    assert outcome.statuses == {"new": ObjectStatus(Phase.WAITING, "waiting for unbound")}


async def test_failed_delete_is_reported() -> None:
    outcome = await reconcile(Shelf({"old": 1}, {"old": DoorError("busy")}), {})
    assert outcome.statuses == {"old": ObjectStatus(Phase.FAILED, "busy")}
