# SPDX-License-Identifier: Apache-2.0
"""Passes that leave a table alone as long as nothing moved: neither the wish nor the table.

A pass over a thousand peers reads and compares thousands of objects. So each table has a sign, which is cheap
to read and differs after anybody's change. It is read before the table is; and believed only if that pass,
and every table before it, found nothing to do. A sign may miss something, so every table is read by the clock
too.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from appliance.netcore.errors import DoorError
from appliance.netcore.plan.exchange import PhaseCount
from appliance.netcore.reconcile.passes import Step, Wish, same
from appliance.netcore.reconcile.table import Outcome

#: Every table is read anew by the clock, whatever its sign says: at most so often, in seconds, and so seldom
#: that it takes no more than this share of a processor. A site's takes some ten milliseconds.
AUDIT = 30.0
SHARE = 0.0005


@dataclass(frozen=True)
class Unmoved(Outcome):
    """A table that was left alone; `standing` is how the last look at it found it."""

    standing: PhaseCount = field(default_factory=PhaseCount)

    def count(self) -> PhaseCount:
        """As `Outcome.count`."""
        return self.standing


Sign = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class _Left:
    """A table as a pass left it, with nothing to do."""

    sign: object
    count: PhaseCount


class Passes:
    """One pass after the other over the same steps; `signs` are by their names. One without always runs."""

    def __init__(
        self,
        steps: tuple[Step, ...],
        signs: Mapping[str, Sign],
        clock: Callable[[], float],
        audit: float = AUDIT,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._steps = steps
        self._signs = signs
        self._clock = clock
        self._audit = audit
        self._audit_due = clock()
        self._cpu = cpu
        self._wish: Wish | None = None
        self._left: dict[str, _Left] = {}
        self._idle = False

    async def run(self, wish: Wish) -> dict[str, Outcome]:
        """Every table that may have moved, in order; what came of each of all."""
        started = self._cpu()
        audit = self._wish is None or not same(wish, self._wish) or self._clock() >= self._audit_due
        if audit:
            self._left.clear()
        self._wish = wish
        outcomes: dict[str, Outcome] = {}
        read: dict[Sign, object] = {}
        still = self._idle = True
        for step in self._steps:
            sign = await self._read(step.name, read)
            left = self._left.get(step.name)
            if still and left is not None and sign is not None and left.sign == sign:
                outcomes[step.name] = Unmoved(standing=left.count)
                continue
            self._idle = self._idle and step.name not in self._signs
            outcome = await step.run(wish)
            outcomes[step.name], count = outcome, outcome.count()
            still = still and not outcome.changed
            self._left.pop(step.name, None)
            if still and sign is not None and not count.waiting and not count.failed:
                self._left[step.name] = _Left(sign, count)
        if audit:
            self._audit_due = self._clock() + max(self._audit, (self._cpu() - started) / SHARE)
        return outcomes

    @property
    def idle(self) -> bool:
        """Whether the last pass left alone every table that has a sign."""
        return self._idle

    def forget(self) -> None:
        """Somebody wants every table read anew."""
        self._left.clear()

    async def _read(self, name: str, read: dict[Sign, object]) -> object:
        """The sign of a table; tables with the same one ask once. None if it can't be read now."""
        sign = self._signs.get(name)
        if sign is None:
            return None
        if sign not in read:
            try:
                read[sign] = await sign()
            except DoorError:
                read[sign] = None
        return read[sign]
