# SPDX-License-Identifier: Apache-2.0
"""Try, then keep or undo: a change that costs the device what it had must not stay. Pure.

A change is a new plan (`sync/confirm.py`) or a new release of the program (`update/judge.py`). Only what
worked before the change and fails after it counts against it. The clock stands still while no link is up,
since then nothing can be learned of the change.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto

#: How long a change may cost something, in seconds with a link up; and how long all must be well to keep it.
#: The latter is longer than a dead path takes to show: some missed probes, and a report that finds no way.
CONFIRM_WITHIN = 45.0
SETTLE = 8.0


class Sign(StrEnum):
    """What a device must not lose: its control endpoint and its last hub; for a release, its agent too."""

    AGENT = "agent"
    PLAN = "plan in force"
    CONTROL = "control endpoint"
    HUB = "hub"


@dataclass(frozen=True)
class Patience:
    """`within`: how long a change may cost something, in seconds with a link up. `settle`: how long all must
    be well to keep it.
    """

    within: float = CONFIRM_WITHIN
    settle: float = SETTLE


class Verdict(Enum):
    """What comes of a trial."""

    OPEN = auto()
    KEEP = auto()
    UNDO = auto()


@dataclass(frozen=True)
class Trial:
    """A change on trial: its name, what worked before it, and how long it has run and been well (seconds)."""

    subject: str
    worked: frozenset[Sign]
    clock: float = 0.0
    well: float = 0.0
    patience: Patience = Patience()


def step(trial: Trial, working: AbstractSet[Sign], elapsed: float, *, link_up: bool) -> tuple[Trial, Verdict]:
    """The trial `elapsed` seconds later, by what works now."""
    is_well = trial.worked <= working
    later = replace(
        trial,
        clock=trial.clock + elapsed * link_up,
        well=trial.well + elapsed if is_well else 0.0,
    )
    if later.well >= trial.patience.settle:
        return later, Verdict.KEEP
    if not is_well and later.clock >= trial.patience.within:
        return later, Verdict.UNDO
    return later, Verdict.OPEN


def lost(trial: Trial, working: AbstractSet[Sign]) -> str:
    """What the change cost, in words."""
    return " and ".join(f"the {sign}" for sign in sorted(trial.worked - working))
