# SPDX-License-Identifier: Apache-2.0
"""Commit-confirm: a new plan is tried, and undone if it costs the device its control endpoint or last hub."""

import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import partial

from appliance.netcore.errors import DoorError
from appliance.sync.store import Held, PlanStore
from appliance.trial import Sign, Trial, Verdict, lost, step

log = logging.getLogger(__name__)


class Confirmation:
    """The plan in force, the one to go back to, and the trial between them.

    `held` is in force; `kept` proved good, or is the only one there is. `since` is the monotonic time from
    which on signs of health are the new plan's: None until it was applied. `undone` says which plan was
    undone last and why, until the next one comes.
    """

    def __init__(self, store: PlanStore, clock: Callable[[], float]) -> None:
        loaded = store.load()
        self.held = loaded.held
        self.kept = loaded.held
        self.refused_slots = loaded.refused
        self.since: float | None = None
        self.undone = ""
        self._store = store
        self._clock = clock
        self._judged = 0.0
        self._trial: Trial | None = None
        pending = store.open_trial()
        if pending is not None and loaded.held is not None and pending.subject == loaded.held.digest:
            self._trial = pending
            self.kept = loaded.before or loaded.held

    def rely_on(self, store: PlanStore) -> None:
        """Read the slots by another trust from now on."""
        self._store = store

    def excuse(self) -> None:
        """What was lost was not the plan's doing: the operator has let this device go."""
        if self.is_open:
            self._end(self.held)
            self._guarded(self._store.keep)

    @property
    def is_open(self) -> bool:
        """Whether the plan in force has still to prove itself."""
        return self._trial is not None and self.kept is not self.held

    def keep_for_next(self, working: AbstractSet[Sign]) -> Held | None:
        """The plan whose slot the next one must not be written over.

        That is the one on trial, if more works under it than before: to go back behind it would cost that.
        """
        if self._trial is not None and self.since is not None and self._trial.worked < working:
            self._end(self.held)
            self._guarded(self._store.keep)
        return self.kept

    def offer(self, held: Held, working: AbstractSet[Sign]) -> None:
        """Try a plan that has just come to disk. With nothing to lose it needs no proof."""
        worked = self._trial.worked if self._trial is not None and self.is_open else frozenset(working)
        self.held, self.since, self.undone = held, None, ""
        if self.kept is None or not worked:
            self.kept, self._trial = held, None
            return
        self._trial = Trial(held.digest, worked)
        self._guarded(partial(self._store.begin_trial, self._trial))

    def applied(self) -> None:
        """The plan in force was passed over the tables."""
        if self.is_open and self.since is None:
            self.since = self._judged = self._clock()

    def judge(self, working: AbstractSet[Sign], *, link_up: bool) -> Verdict:
        """Where the trial stands by what works under the new plan now; KEEP and UNDO end it."""
        if self._trial is None or self.since is None or not self.is_open:
            return Verdict.OPEN
        now = self._clock()
        self._trial, verdict = step(self._trial, working, now - self._judged, link_up=link_up)
        self._judged = now
        if verdict is Verdict.KEEP:
            self._end(self.held)
            self._guarded(self._store.keep)
        elif verdict is Verdict.UNDO:
            self._undo(lost(self._trial, working))
        return verdict

    def _undo(self, cost: str) -> None:
        undone, trial = self.held, self._trial
        if undone is None or trial is None:
            return
        reason = f"it cost this device {cost} for {trial.clock:.0f} s"
        self.undone = f"generation {undone.plan.generation} is undone: {reason}"
        log.error("plan: %s", self.undone)
        self._guarded(partial(self._store.undo, undone.digest, reason))
        # Read anew, so that the trust of the undone plan stays in force.
        on_disk = self._store.load().held
        self._end(on_disk if on_disk is not None and on_disk.digest != undone.digest else self.kept)

    def _end(self, held: Held | None) -> None:
        self.held = self.kept = held
        self._trial, self.since = None, None

    def _guarded(self, write: Callable[[], None]) -> None:
        """A disk that can't be written must not stop the trial; it then only does not survive a reboot."""
        try:
            write()
        except DoorError as error:
            log.warning("plan: the trial can't be remembered: %s", error)
