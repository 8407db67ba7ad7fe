# SPDX-License-Identifier: Apache-2.0
"""The running agent's own examination: cheap checks all day, all of them while something is wrong."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from appliance.checks.all import CHECKS, examine
from appliance.checks.box import Agent, Box, Check, OnDisk, resolvers_of
from appliance.checks.hands import Hands
from appliance.netcore.health.engine import Board
from appliance.netcore.health.kind import Finding, Key
from appliance.paths import Paths
from appliance.status.model import Snapshot, State
from appliance.status.told import drifted, told

_CHEAP = tuple(check for check in CHECKS if check.cheap)
_CHEAP_EVERY = 60.0
#: All checks, when trouble begins and from then on this seldom.
_ALL_EVERY = 300.0
#: How soon after trouble began: what comes and goes within that time needs no explanation.
_SETTLE = 4.0
_TICK, _IDLE = 3.0, 30.0


class Watch:
    """Keeps a `Board` up to date; `look` gives what the agent knows, `tell` hears of changes."""

    def __init__(
        self,
        paths: Paths,
        look: Callable[[], tuple[Snapshot, OnDisk]],
        tell: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        run: Callable[[Box, Sequence[Check]], Awaitable[Sequence[Finding]]] = examine,
    ) -> None:
        self._clock = clock
        self._hands = Hands(clock, wall)
        self._run_checks = run
        self.board = Board()
        self._paths = paths
        self._look = look
        self._tell = tell
        self._news = asyncio.Event()
        self._cheap: Sequence[Finding] = ()
        self._deep: Sequence[Finding] = ()
        self._cheap_due = 0.0
        self._deep_due = 0.0
        self._said: frozenset[Key] = frozenset()
        self._held_then: tuple[State, int, bool] | None = None
        self._who: object = None

    def changed(self) -> None:
        """The agent knows something new."""
        self._news.set()

    def again(self) -> None:
        """Somebody asks for a new look: what was found before may have been repaired."""
        self._cheap_due = self._deep_due = 0.0
        self._news.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self.step()
            quiet = not self.board.pending and not self._said
            with suppress(TimeoutError):
                async with asyncio.timeout(_IDLE if quiet else _TICK):
                    await self._news.wait()
                    # Several changes in a row are one reason to look.
                    await asyncio.sleep(1.0)
            self._news.clear()

    async def step(self) -> None:
        """One look, as deep as is called for, and its conclusions."""
        now = self._clock()
        snapshot, held = self._look()
        if snapshot.identity != self._who:
            # What was found of nobody, or of somebody else, says nothing of who this is now.
            self._who, self._deep, self._cheap_due = snapshot.identity, (), now
        said = told(snapshot)
        self._judge_trouble(frozenset(finding.key for finding in said), now)
        if said and now >= self._deep_due:
            self._deep_due = now + _ALL_EVERY
            self._deep = await self._examine(CHECKS, snapshot, held)
        held_now = (snapshot.state, snapshot.generation, bool(snapshot.tables))
        if now >= self._cheap_due or held_now != self._held_then:
            self._held_then, self._cheap_due = held_now, now + _CHEAP_EVERY
            self._cheap = await self._examine(_CHEAP, snapshot, held)
        before = self.board.conditions
        found = [*said, *drifted(snapshot), *self._hands.look(), *self._cheap, *self._deep]
        self.board.update(found, datetime.now(UTC))
        if [one.text for one in self.board.conditions] != [one.text for one in before]:
            self._tell()

    def _judge_trouble(self, said: frozenset[Key], now: float) -> None:
        """Other trouble than before is looked into soon; none leaves nothing to explain."""
        if not said:
            self._deep = ()
        elif said != self._said:
            self._deep_due = min(self._deep_due, now + _SETTLE) if self._said else now + _SETTLE
        self._said = said

    async def _examine(self, checks: Sequence[Check], snapshot: Snapshot, held: OnDisk) -> Sequence[Finding]:
        agent = Agent(True, snapshot)
        box = Box(self._paths, held, agent, resolvers_of(self._paths, held.plan))
        try:
            return await self._run_checks(box, checks)
        finally:
            await box.close()
