# SPDX-License-Identifier: Apache-2.0
"""A table is left alone only while neither the wish nor the table moved, and never for ever."""

from collections.abc import Awaitable, Callable

from msgspec import structs

from appliance.netcore.desired.facts import Facts
from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.reconcile.passes import Step, Wish
from appliance.netcore.reconcile.table import Outcome, reconcile
from appliance.netcore.reconcile.unmoved import SHARE, Passes
from tests.unit.plan.plans import edge_plan
from tests.unit.reconcile.test_table import Shelf

PLAN = edge_plan()
WISH = Wish(PLAN, Facts(), "leaf")


class Box:
    """Two tables that wish for one object each, with a sign that follows what is in both."""

    def __init__(self) -> None:
        self.tables = {"first": Shelf({}), "second": Shelf({})}
        self.ran: list[str] = []
        self.now = 0.0
        self.cost = 0.0
        self.spent = 0.0
        self.blind = False
        steps = tuple(Step(name, self._step(name)) for name in self.tables)
        self.passes = Passes(
            steps, dict.fromkeys(self.tables, self.sign), lambda: self.now, 100.0, lambda: self.spent
        )

    async def sign(self) -> object:
        if self.blind:
            raise DoorError("nobody knows")
        return {name: dict(table.content) for name, table in self.tables.items()}

    def _step(self, name: str) -> Callable[[Wish], Awaitable[Outcome]]:
        async def run(_: Wish) -> Outcome:
            self.ran.append(name)
            self.spent += self.cost
            return await reconcile(self.tables[name], {"a": 1})

        return run

    async def run(self, wish: Wish = WISH) -> list[str]:
        """Which tables were read in one pass; all of them tell the same either way."""
        self.ran.clear()
        outcomes = await self.passes.run(wish)
        assert list(outcomes) == ["first", "second"]
        assert {outcome.count().applied for outcome in outcomes.values()} <= {0, 1}
        return list(self.ran)


async def settled() -> Box:
    """After the pass that wrote, and the one that found nothing to do."""
    box = Box()
    assert await box.run() == ["first", "second"]
    assert await box.run() == ["first", "second"]
    return box


async def test_what_did_not_move_is_not_read_and_counts_as_before() -> None:
    box = await settled()
    before = box.passes.idle
    assert await box.run() == []
    assert (before, box.passes.idle) == (False, True)
    assert {name: one.count().applied for name, one in (await box.passes.run(WISH)).items()} == {
        "first": 1,
        "second": 1,
    }


async def test_anybody_s_change_is_found_and_undone() -> None:
    box = await settled()
    await box.run()
    box.tables["second"].content["foreign"] = 7
    assert await box.run() == ["first", "second"]
    assert box.tables["second"].content == {"a": 1}
    # It was changed by us, so that it is read once more.
    assert await box.run() == ["first", "second"]
    assert await box.run() == []


async def test_another_wish_is_passed_over_every_table() -> None:
    box = await settled()
    assert await box.run(Wish(PLAN, Facts(tun="ipsec0"), "leaf")) == ["first", "second"]
    assert await box.run(Wish(PLAN, Facts(tun="ipsec0"), "renewed")) == ["first", "second"]
    assert await box.run(Wish(structs.replace(PLAN), Facts(tun="ipsec0"), "renewed")) == ["first", "second"]


async def test_what_failed_or_waits_is_tried_in_every_pass() -> None:
    box = Box()
    box.tables["first"].refuse["a"] = NotYetError("a link")
    for _ in range(3):
        assert "first" in await box.run()
    box.tables["first"].refuse.clear()
    await box.run()
    await box.run()
    assert await box.run() == []


async def test_without_a_sign_every_pass_reads() -> None:
    box = await settled()
    box.blind = True
    assert await box.run() == ["first", "second"]
    box.blind = False
    await box.run()
    assert await box.run() == []


async def test_the_clock_and_a_person_make_it_read_everything() -> None:
    box = await settled()
    assert await box.run() == []
    box.now = 101.0
    assert await box.run() == ["first", "second"]
    assert await box.run() == []
    box.passes.forget()
    assert await box.run() == ["first", "second"]


async def test_what_takes_long_to_read_is_read_the_more_seldom() -> None:
    box = await settled()
    box.cost = 0.5
    box.now = 101.0
    assert await box.run() == ["first", "second"]
    box.now = 101.0 + 1.0 / SHARE - 1
    assert await box.run() == []
    box.now += 2
    assert await box.run() == ["first", "second"]
