# SPDX-License-Identifier: Apache-2.0
"""A release on trial: the agent runs under it, and whoever runs this decides by what works then.

The judge is of the release that proved itself, or of the package, never of the one on trial. It may end at
any time: another one goes on with what is on disk, and the launcher undoes what only crashes by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from appliance.trial import Patience, Sign, Trial, Verdict, lost, step
from appliance.update.agent import Look
from appliance.update.releases import Releases

#: How long all must be well under a new release, seconds: longer than a dead path takes to show.
SETTLE = 10.0
_EVERY = 1.0


class Subject(Protocol):
    """The agent."""

    def look(self) -> Look: ...

    def end(self) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What came of a trial; `reason` says why it was undone."""

    release: str
    kept: bool
    reason: str = ""


@dataclass(frozen=True)
class Time:
    """Time, to be given by who calls."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], None]


def judge(releases: Releases, agent: Subject, within: float, time: Time) -> Outcome | None:
    """See the trial on disk to its end; None if there is none. Raises `DoorError` if the disk fails."""
    release = releases.standing().trial
    if not release:
        return None
    worked = releases.worked() | {Sign.AGENT}
    trial = Trial(release, worked, patience=Patience(within, min(SETTLE, within / 2)))
    before = time.monotonic()
    if agent.look().release != release:
        # Whoever supervises it starts the one on trial; after a reboot that has happened already.
        agent.end()
    while True:
        time.sleep(_EVERY)
        if releases.standing().trial != release:
            return Outcome(release, kept=False, reason=_words(releases, release))
        look, now = agent.look(), time.monotonic()
        working = look.working if look.release == release else frozenset[Sign]()
        # Without an agent nothing excuses it: only what an agent can't reach waits for a link.
        excused = Sign.AGENT in working and not look.link_up
        trial, verdict = step(trial, working, now - before, link_up=not excused)
        before = now
        if verdict is Verdict.KEEP:
            releases.keep()
            return Outcome(release, kept=True)
        if verdict is Verdict.UNDO:
            reason = f"it cost this device {lost(trial, working)} for {trial.clock:.0f} s"
            releases.undo(reason)
            agent.end()
            return Outcome(release, kept=False, reason=reason)


def _words(releases: Releases, release: str) -> str:
    """Why the launcher undid it."""
    name, _, reason = releases.standing().undone.partition(" ")
    return reason if name == release else "it was undone by somebody else"
