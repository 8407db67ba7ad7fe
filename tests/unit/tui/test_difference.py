# SPDX-License-Identifier: Apache-2.0
"""What changed between two plans."""

from dataclasses import replace

from appliance.tui.commands import Ask
from appliance.tui.difference import Difference, differences
from appliance.tui.page import Name
from appliance.tui.state import answered, heard
from appliance.tui.ui import Ui
from tests.unit.status.snapshots import healthy
from tests.unit.tui.screens import found, known, later, text
from tests.unit.tui.test_keys import typed

BEFORE = {"generation": 11, "author": "ann", "peers": {"shop2": {"prefixes": ["10.0.0.0/24"]}}, "dns": None}
AFTER = {
    "generation": 12,
    "author": "bob",
    "issued_at": "2026-01-02T03:00:05Z",
    "peers": {"shop2": {"prefixes": ["10.0.0.0/24", "10.0.1.0/24"]}, "shop3": {"prefixes": []}},
    "dns": None,
}


def test_what_came_went_and_is_otherwise() -> None:
    assert list(differences(BEFORE, AFTER)) == [
        Difference("~", ("peers", "shop2", "prefixes"), "10.0.0.0/24 -> 10.0.0.0/24, 10.0.1.0/24"),
        Difference("+", ("peers", "shop3")),
    ]
    assert Difference("-", ("peers", "shop3")) in differences(AFTER, BEFORE)


def test_equal_plans_differ_in_nothing() -> None:
    assert list(differences(AFTER, AFTER | {"generation": 13})) == []


def test_the_plan_screen_says_what_changed_and_by_whom() -> None:
    assert typed(Ui(page=Name.PLAN, root=True), "c")[1] == [Ask("plan", "below the tables is what changed")]
    assert typed(Ui(page=Name.PLAN), "c")[1] == []
    state = answered(known(healthy()), "plan", {"plan": AFTER, "before": BEFORE})
    lines = text(state, Ui(page=Name.PLAN))
    assert found(lines, "Since generation 11, by bob, 2026-01-02 03:00:05 UTC")
    assert found(lines, "+ peers shop3")
    assert heard(state, later(healthy())).plans is not None


def test_a_first_plan_has_none_before_it() -> None:
    state = answered(known(healthy()), "plan", {"plan": AFTER, "before": None})
    assert found(text(state, Ui(page=Name.PLAN)), "no plan before this one")
    assert replace(state, plans=None) == known(healthy())
