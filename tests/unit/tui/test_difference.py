# SPDX-License-Identifier: Apache-2.0
"""What changed between two plans."""

from dataclasses import replace

from appliance.tui.difference import Difference, differences
from appliance.tui.page import Name
from appliance.tui.state import answered, heard
from appliance.tui.ui import Ui
from tests.unit.status.snapshots import healthy
from tests.unit.tui.screens import found, known, later, text

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
    slots = {
        "slot": {"name": "b", "arrived": "2026-01-02T03:00:06Z"},
        "slot_before": {"name": "a", "arrived": "2026-01-01T02:00:06Z"},
    }
    state = answered(known(healthy()), "plan", {"plan": AFTER, "before": BEFORE, **slots})
    lines = text(state, Ui(page=Name.PLAN))
    assert found(lines, "Slot b", "generation 12, came 2026-01-02 03:00:06, by bob")
    assert found(lines, "Slot a", "generation 11, came 2026-01-01 02:00:06")
    assert found(lines, "What changed since generation 11")
    assert found(lines, "+ peers shop3")
    assert heard(state, later(healthy())).plan is not None


def test_a_first_plan_has_none_before_it() -> None:
    state = answered(known(healthy()), "plan", {"plan": AFTER, "before": None})
    assert found(text(state, Ui(page=Name.PLAN)), "no plan before this one")
    assert replace(state, plan=None) == known(healthy())
