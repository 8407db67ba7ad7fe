# SPDX-License-Identifier: Apache-2.0
"""Drift: what left the wish without us, seen because a pass had to put it back."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.netcore.reconcile.table import Outcome, Phase

#: The tables in which only somebody else can undo something; a daemon that restarts forgets by itself.
WATCHED = ("links", "routes", "rules", "firewall", "hub-links", "sysctls", "cni", "pod-gateways")
#: How long a repair counts as recent.
RECENT = timedelta(minutes=5)
_NAMED = 5


@dataclass(frozen=True)
class Drift:
    """What was undone in one table: how often since the start and of late, when last, and what."""

    repairs: int
    recent: int
    at: datetime
    what: tuple[str, ...]


class DriftWatch:
    """Compares each pass with the one before it."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._wish: object = None
        self._settled: frozenset[str] = frozenset()
        self._repairs: dict[str, int] = {}
        self._times: dict[str, deque[datetime]] = {}
        self._what: dict[str, tuple[str, ...]] = {}

    def judge(self, wish: object, outcomes: Mapping[str, Outcome]) -> tuple[str, ...]:
        """The tables that this pass had to repair although nothing new was wished for.

        `wish` is all that the pass was compiled from. A table counts if it was whole after the pass before.
        """
        repaired = tuple(
            name
            for name in WATCHED
            if wish == self._wish and name in self._settled and outcomes.get(name, Outcome()).changed
        )
        for name in repaired:
            self._note(name, outcomes[name].changed)
        self._wish = wish
        self._settled = frozenset(name for name, outcome in outcomes.items() if _is_whole(outcome))
        return repaired

    def tell(self) -> dict[str, Drift]:
        """What was repaired so far, by table."""
        now = self._clock()
        return {
            name: Drift(
                repairs=count,
                recent=sum(now - at <= RECENT for at in self._times[name]),
                at=self._times[name][-1],
                what=self._what[name],
            )
            for name, count in self._repairs.items()
        }

    def _note(self, name: str, changed: Iterable[str]) -> None:
        self._repairs[name] = self._repairs.get(name, 0) + 1
        self._times.setdefault(name, deque(maxlen=10)).append(self._clock())
        self._what[name] = tuple(changed)[:_NAMED]


def _is_whole(outcome: Outcome) -> bool:
    return all(status.phase is Phase.APPLIED for status in outcome.statuses.values())
