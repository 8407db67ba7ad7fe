# SPDX-License-Identifier: Apache-2.0
"""A release on trial: kept, undone, and by whom."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.trial import Sign
from appliance.update.agent import Look, signs
from appliance.update.judge import SETTLE, Outcome, Time, judge
from appliance.update.releases import Releases
from tests.fakes.disk import FakeDisk
from tests.unit.update.made import files, manifest

PLACE = Path("/releases")
ALL = frozenset(Sign)
WITHIN = 60.0


@dataclass
class FakeAgent:
    """Shows what `seen` gives at each second; `ended` counts how often it was ended."""

    seen: Callable[[float], Look]
    now: float = 0.0
    ended: int = 0
    looks: list[float] = field(default_factory=list)

    def look(self) -> Look:
        self.looks.append(self.now)
        return self.seen(self.now)

    def end(self) -> None:
        self.ended += 1

    @property
    def time(self) -> Time:
        return Time(lambda: self.now, self._pass)

    def _pass(self, seconds: float) -> None:
        self.now += seconds


def on_trial(worked: frozenset[Sign] = ALL) -> Releases:
    releases = Releases(PLACE, FakeDisk(Path("/")))  # type: ignore[arg-type]
    for version in ("1.0", "2.0"):
        releases.install(manifest(version), f'{{"version": "{version}"}}'.encode(), files(version))
        releases.begin(version, worked)
        if version == "1.0":
            releases.keep()
    return releases


def good(_now: float) -> Look:
    return Look("2.0", ALL)


def test_release_under_which_all_works_is_kept() -> None:
    releases, agent = on_trial(), FakeAgent(good)
    assert judge(releases, agent, WITHIN, agent.time) == Outcome("2.0", kept=True)
    assert releases.standing().current == "2.0"
    assert releases.standing().releases == ("1.0", "2.0")
    assert agent.now >= SETTLE
    assert agent.ended == 0


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (Look("2.0", ALL - {Sign.HUB}), "the hub"),
        (Look("2.0", ALL - {Sign.CONTROL, Sign.PLAN}), "the control endpoint and the plan in force"),
        (Look("2.0", frozenset()), "the agent and "),
        (Look("1.0", ALL), "the agent"),
        (Look("", ALL), "the agent"),
    ],
)
def test_release_that_costs_something_is_undone(look: Look, words: str) -> None:
    releases, agent = on_trial(), FakeAgent(lambda _: look)
    outcome = judge(releases, agent, WITHIN, agent.time)
    assert outcome is not None
    assert not outcome.kept
    assert words in outcome.reason
    assert WITHIN <= agent.now <= WITHIN + 2
    assert (releases.standing().current, releases.standing().trial) == ("1.0", "")
    assert releases.standing().releases == ("1.0",)
    # Once for the new release to start, if it did not run yet, and once for the old one.
    assert agent.ended == 1 + (look.release != "2.0")


def test_what_did_not_work_before_is_not_asked_for() -> None:
    releases = on_trial(frozenset({Sign.AGENT}))
    agent = FakeAgent(lambda _: Look("2.0", frozenset({Sign.AGENT})))
    outcome = judge(releases, agent, WITHIN, agent.time)
    assert outcome is not None
    assert outcome.kept


def test_clock_waits_for_a_link_but_not_for_an_agent() -> None:
    def cut(now: float) -> Look:
        return Look("2.0", ALL - {Sign.HUB} if now < 500 else ALL, link_up=now >= 500)

    releases, agent = on_trial(), FakeAgent(cut)
    outcome = judge(releases, agent, WITHIN, agent.time)
    assert outcome is not None
    assert outcome.kept
    releases, agent = on_trial(), FakeAgent(lambda _: Look("", frozenset(), link_up=False))
    outcome = judge(releases, agent, WITHIN, agent.time)
    assert outcome is not None
    assert not outcome.kept
    assert agent.now < WITHIN + 3


def test_one_that_the_launcher_undid_is_told() -> None:
    releases = on_trial()

    def launcher(now: float) -> Look:
        if now > 3:
            releases.undo("it ended 3 times before it had proved itself")
        return Look("", frozenset())

    agent = FakeAgent(launcher)
    outcome = judge(releases, agent, WITHIN, agent.time)
    assert outcome == Outcome("2.0", kept=False, reason="it ended 3 times before it had proved itself")
    assert agent.now < 10


def test_without_a_trial_there_is_nothing_to_judge() -> None:
    releases, agent = on_trial(), FakeAgent(good)
    releases.keep()
    assert judge(releases, agent, WITHIN, agent.time) is None


def test_release_in_use_is_not_written_over() -> None:
    releases = on_trial()
    for version in ("1.0", "2.0"):
        with pytest.raises(Exception, match="in use"):
            releases.install(manifest(version), b"{}", files(version))


def test_room_is_looked_for_first() -> None:
    disk = FakeDisk(Path("/"), room=1000)
    with pytest.raises(Exception, match="MiB are lacking"):
        Releases(PLACE, disk).install(manifest("1.0"), b"{}", files("1.0"))  # type: ignore[arg-type]
    assert disk.names(PLACE) == ()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, frozenset()),
        ([], frozenset()),
        ({}, {Sign.AGENT}),
        ({"state": "unenrolled", "control": "?", "tunnels": 3, "hub": []}, {Sign.AGENT}),
        (
            {"state": "running", "control": {"connected": True}, "hub": "h", "tunnels": {"h": {"up": True}}},
            set(Sign),
        ),
        (
            {"state": "running", "control": {"connected": 1}, "hub": "h", "tunnels": {"g": {"up": True}}},
            {Sign.AGENT, Sign.PLAN},
        ),
    ],
)
def test_signs_of_any_answer(status: object, expected: set[Sign]) -> None:
    assert signs(status) == expected
