# SPDX-License-Identifier: Apache-2.0
"""What counts as drift, and what does not."""

from datetime import UTC, datetime, timedelta

from appliance.netcore.reconcile.drift import RECENT, Drift, DriftWatch
from appliance.netcore.reconcile.table import ObjectStatus, Outcome, Phase

START = datetime(2026, 1, 1, tzinfo=UTC)
WHOLE = {"routes": Outcome({"10.0.0.0/8": ObjectStatus(Phase.APPLIED)})}
REPAIRED = {"routes": Outcome({"10.0.0.0/8": ObjectStatus(Phase.APPLIED)}, ("10.0.0.0/8",))}
FAILED = {"routes": Outcome({"10.0.0.0/8": ObjectStatus(Phase.FAILED, "no")})}


class Clock:
    """Time that passes when told."""

    now = START

    def __call__(self) -> datetime:
        return self.now


def test_repair_under_the_same_wish_is_drift() -> None:
    watch = DriftWatch(Clock())
    assert watch.judge("plan 1", WHOLE) == ()
    assert watch.judge("plan 1", REPAIRED) == ("routes",)
    assert watch.tell() == {"routes": Drift(1, 1, START, ("10.0.0.0/8",))}


def test_first_pass_new_wish_and_new_facts_are_none() -> None:
    watch = DriftWatch(Clock())
    assert watch.judge("plan 1", REPAIRED) == ()
    assert watch.judge("plan 2", REPAIRED) == ()
    assert watch.tell() == {}


def test_table_that_was_not_whole_before_is_none() -> None:
    """What comes now is what could not come then."""
    watch = DriftWatch(Clock())
    watch.judge("plan 1", FAILED)
    assert watch.judge("plan 1", REPAIRED) == ()


def test_what_a_daemon_forgets_at_its_restart_is_none() -> None:
    watch = DriftWatch(Clock())
    whole, repaired = ({"connections": one["routes"]} for one in (WHOLE, REPAIRED))
    watch.judge("plan 1", whole)
    assert watch.judge("plan 1", repaired) == ()


def test_old_repairs_are_no_more_recent() -> None:
    clock = Clock()
    watch = DriftWatch(clock)
    watch.judge("plan 1", WHOLE)
    for _ in range(3):
        watch.judge("plan 1", REPAIRED)
    clock.now += RECENT + timedelta(seconds=1)
    watch.judge("plan 1", REPAIRED)
    assert (watch.tell()["routes"].repairs, watch.tell()["routes"].recent) == (4, 1)
