# SPDX-License-Identifier: Apache-2.0
"""Commit-confirm: what is kept, what is undone, and what survives a power cut in between."""

from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from appliance.sync.confirm import Confirmation
from appliance.sync.store import Held, PlanStore
from appliance.trial import CONFIRM_WITHIN, SETTLE, Sign, Trial, Verdict, step
from tests.unit.plan.plans import SHOP1, edge_plan
from tests.unit.sync.devices import document, plan_keys

BOTH = frozenset({Sign.CONTROL, Sign.HUB})
NONE: frozenset[Sign] = frozenset()
SIGNS = st.frozensets(st.sampled_from(list(Sign)))


def judged(trial: Trial, seconds: float, working: frozenset[Sign], *, link_up: bool = True) -> Verdict:
    """The first verdict within so many seconds of the same state, looked at each second."""
    for _ in range(int(seconds)):
        trial, verdict = step(trial, working, 1.0, link_up=link_up)
        if verdict is not Verdict.OPEN:
            return verdict
    return Verdict.OPEN


def test_change_that_costs_nothing_is_kept_after_it_settled() -> None:
    assert judged(Trial("x", BOTH), SETTLE - 1, BOTH) is Verdict.OPEN
    assert judged(Trial("x", BOTH), SETTLE, BOTH) is Verdict.KEEP


def test_change_that_costs_the_hub_is_undone_in_time() -> None:
    lost = frozenset({Sign.CONTROL})
    assert judged(Trial("x", BOTH), CONFIRM_WITHIN - 1, lost) is Verdict.OPEN
    assert judged(Trial("x", BOTH), CONFIRM_WITHIN, lost) is Verdict.UNDO


def test_what_did_not_work_before_does_not_count() -> None:
    assert judged(Trial("x", frozenset({Sign.CONTROL})), SETTLE, frozenset({Sign.CONTROL})) is Verdict.KEEP


def test_clock_stands_still_without_a_link() -> None:
    assert judged(Trial("x", BOTH), 10 * CONFIRM_WITHIN, NONE, link_up=False) is Verdict.OPEN


@given(worked=SIGNS, looks=st.lists(st.tuples(SIGNS, st.floats(0, 5), st.booleans()), max_size=60))
def test_never_undone_unless_something_was_lost_for_the_whole_time(
    worked: frozenset[Sign], looks: list[tuple[frozenset[Sign], float, bool]]
) -> None:
    trial, up = Trial("x", worked), 0.0
    for working, elapsed, link_up in looks:
        up += elapsed * link_up
        trial, verdict = step(trial, working, elapsed, link_up=link_up)
        if verdict is Verdict.UNDO:
            assert up >= CONFIRM_WITHIN
            assert not worked <= working
        if verdict is not Verdict.OPEN:
            return


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def store_in(directory: Path) -> PlanStore:
    return PlanStore(directory, plan_keys(), SHOP1)


def begun(directory: Path, clock: Clock) -> tuple[Confirmation, Held, Held]:
    """Plan 3 in force for long, and plan 4 just come."""
    old = store_in(directory).put(document(3), None)
    confirmation = Confirmation(store_in(directory), clock)
    new = store_in(directory).put(document(4), old)
    confirmation.offer(new, BOTH)
    return confirmation, old, new


def run_for(confirmation: Confirmation, clock: Clock, seconds: float, working: frozenset[Sign]) -> Verdict:
    verdict = Verdict.OPEN
    for _ in range(int(seconds)):
        confirmation.applied()
        clock.now += 1.0
        verdict = confirmation.judge(working, link_up=True)
        if verdict is not Verdict.OPEN:
            break
    return verdict


def test_good_plan_is_kept(tmp_path: Path) -> None:
    clock = Clock()
    confirmation, old, new = begun(tmp_path, clock)
    assert (confirmation.held, confirmation.kept) == (new, old)
    assert run_for(confirmation, clock, SETTLE + 1, BOTH) is Verdict.KEEP
    assert (confirmation.held, confirmation.kept, confirmation.is_open) == (new, new, False)
    assert store_in(tmp_path).open_trial() is None


def test_bad_plan_is_undone_named_and_never_used_again(tmp_path: Path) -> None:
    clock = Clock()
    confirmation, old, new = begun(tmp_path, clock)
    assert run_for(confirmation, clock, CONFIRM_WITHIN + 1, frozenset({Sign.CONTROL})) is Verdict.UNDO
    assert confirmation.held == old
    assert "generation 4 is undone: it cost this device the hub for 45 s" in confirmation.undone
    store = store_in(tmp_path)
    assert store.load().held == old
    assert "the hub" in (store.why_undone(new.digest) or "")


def test_trial_before_its_first_pass_is_not_judged(tmp_path: Path) -> None:
    clock = Clock()
    confirmation, _, _ = begun(tmp_path, clock)
    clock.now += 1000
    assert confirmation.judge(NONE, link_up=True) is Verdict.OPEN


def test_power_cut_in_a_trial_goes_on_with_it(tmp_path: Path) -> None:
    clock = Clock()
    _, old, new = begun(tmp_path, clock)
    after = Confirmation(store_in(tmp_path), clock)
    assert (after.held, after.kept, after.is_open) == (new, old, True)
    assert run_for(after, clock, CONFIRM_WITHIN + 1, NONE) is Verdict.UNDO
    assert Confirmation(store_in(tmp_path), clock).held == old


def test_device_that_had_nothing_confirms_at_once(tmp_path: Path) -> None:
    clock = Clock()
    store_in(tmp_path).put(document(3), None)
    confirmation = Confirmation(store_in(tmp_path), clock)
    new = store_in(tmp_path).put(document(4), confirmation.kept)
    confirmation.offer(new, NONE)
    assert (confirmation.kept, confirmation.is_open) == (new, False)


def test_next_plan_in_a_trial_is_held_against_the_one_that_proved_good(tmp_path: Path) -> None:
    clock = Clock()
    confirmation, old, new = begun(tmp_path, clock)
    newer = store_in(tmp_path).put(document(5), confirmation.kept)
    assert newer.slot == new.slot
    confirmation.offer(newer, NONE)
    assert run_for(confirmation, clock, CONFIRM_WITHIN + 1, NONE) is Verdict.UNDO
    assert confirmation.held == old


def test_plan_that_brought_more_is_the_one_to_go_back_to(tmp_path: Path) -> None:
    """Plans follow each other at a start: the tunnel comes up under the second, and the third costs it."""
    clock = Clock()
    old = store_in(tmp_path).put(document(3), None)
    confirmation = Confirmation(store_in(tmp_path), clock)
    better = store_in(tmp_path).put(document(4), old)
    confirmation.offer(better, frozenset({Sign.CONTROL}))
    run_for(confirmation, clock, 2, BOTH)
    assert confirmation.keep_for_next(BOTH) == better
    worse = store_in(tmp_path).put(document(5), better)
    confirmation.offer(worse, BOTH)
    assert run_for(confirmation, clock, CONFIRM_WITHIN + 1, frozenset({Sign.CONTROL})) is Verdict.UNDO
    assert confirmation.held == better


def test_plan_on_trial_that_brought_nothing_is_not_kept_for_the_next(tmp_path: Path) -> None:
    clock = Clock()
    confirmation, old, _ = begun(tmp_path, clock)
    run_for(confirmation, clock, 2, BOTH)
    assert confirmation.keep_for_next(BOTH) == old


def test_revocation_of_an_undone_plan_stays(tmp_path: Path) -> None:
    clock = Clock()
    old = store_in(tmp_path).put(document(3), None)
    confirmation = Confirmation(store_in(tmp_path), clock)
    revoking = msgspec.structs.replace(edge_plan().trust, revoked=("orillo://lab/shop2/22222222",))
    confirmation.offer(store_in(tmp_path).put(document(4, trust=revoking), old), BOTH)
    run_for(confirmation, clock, CONFIRM_WITHIN + 1, NONE)
    assert confirmation.held is not None
    assert confirmation.held.plan.generation == 3
    assert confirmation.held.plan.trust.revoked == revoking.revoked


def test_damaged_memory_is_no_memory(tmp_path: Path) -> None:
    old = store_in(tmp_path).put(document(3), None)
    (tmp_path / "trial.json").write_bytes(b"\xff{")
    assert store_in(tmp_path).load().held == old
    assert store_in(tmp_path).open_trial() is None


def test_device_that_the_operator_let_go_undoes_nothing(tmp_path: Path) -> None:
    """Its Node was deleted while a plan was on trial: its hubs were told to forget it, whatever the plan."""
    clock = Clock()
    confirmation, _, new = begun(tmp_path, clock)
    confirmation.applied()
    assert run_for(confirmation, clock, CONFIRM_WITHIN - 5, frozenset({Sign.CONTROL})) is Verdict.OPEN
    confirmation.excuse()
    assert run_for(confirmation, clock, CONFIRM_WITHIN, frozenset({Sign.CONTROL})) is Verdict.OPEN
    assert (confirmation.held, confirmation.undone) == (new, "")
    assert Confirmation(store_in(tmp_path), clock).held == new
