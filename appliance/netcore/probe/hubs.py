# SPDX-License-Identifier: Apache-2.0
"""Probes through every tunnel that this device keeps, and what they say of its data path.

SAs that look healthy can carry nothing; DPD would not notice. A lost probe is followed by the next one at
once, so that a verdict takes little more than one interval.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from appliance.netcore.errors import DoorError
from appliance.netcore.plan.values import Address
from appliance.netcore.tunnel import Health, Reach

#: Shares of the newest sample in the smoothed figures (RFC 6298 uses the same for round trips).
_RTT_SHARE = 1 / 8
_LOSS_SHARE = 1 / 16
_MIN_TIMEOUT = 0.25
_USUAL_LOSS = 0.05
_MOST_MISSES = 12

Ping = Callable[[Address, Address | None, float], Awaitable[float | None]]


def after_answer(reach: Reach, rtt: float, now: float) -> Reach:
    """One probe came back after `rtt` seconds: that alone makes a path alive."""
    smoothed = rtt if reach.rtt is None else reach.rtt + _RTT_SHARE * (rtt - reach.rtt)
    since = reach.since if reach.health is Health.ALIVE else now
    return Reach(Health.ALIVE, since, smoothed, reach.loss * (1 - _LOSS_SHARE), misses=0)


def after_loss(reach: Reach, misses_allowed: int, now: float) -> Reach:
    """One probe was lost; `misses_needed` of them in a row make a path dead.

    An outage, and the time before the first answer, tell nothing of the link's steady loss: or the next
    verdict would take the longer, the longer the last outage was.
    """
    lost = replace(reach, misses=reach.misses + 1)
    if reach.health is Health.ALIVE:
        lost = replace(lost, loss=reach.loss + _LOSS_SHARE * (1 - reach.loss))
    if lost.misses < misses_needed(lost, misses_allowed) or lost.health is Health.DEAD:
        return lost
    return replace(lost, health=Health.DEAD, since=now, loss=_steady_loss(lost))


def misses_needed(reach: Reach, misses_allowed: int) -> int:
    """More than allowed where packets were lost all along: a bad link must not look like a dead one.

    So many that chance alone gives as many in a row once in a thousand times, from the loss before them.
    """
    steady = _steady_loss(reach)
    if steady <= _USUAL_LOSS:
        return misses_allowed
    return max(misses_allowed, min(_MOST_MISSES, math.ceil(math.log(0.001) / math.log(steady))))


def _steady_loss(reach: Reach) -> float:
    """The loss before the probes lost in a row."""
    if reach.health is not Health.ALIVE:
        return reach.loss
    return max(0.0, 1 - (1 - reach.loss) / (1 - _LOSS_SHARE) ** reach.misses)


def after_renewal(reach: Reach, now: float) -> Reach:
    """The tunnel was made anew: what killed the old one says nothing of this one."""
    if reach.health is Health.DEAD:
        return Reach(Health.UNKNOWN, now, reach.rtt, reach.loss)
    return replace(reach, misses=0)


def timeout_of(reach: Reach, interval: float) -> float:
    """How long to wait for an answer: some round trips, and never past the next probe's time."""
    if reach.rtt is None:
        return interval
    return min(interval, max(_MIN_TIMEOUT, 4 * reach.rtt))


@dataclass(frozen=True)
class Target:
    """A peer's end of a tunnel. `tunnel` is a new one whenever the IKE SA is: an answer is about that one."""

    address: Address
    source: Address | None
    tunnel: str


class TunnelProbes:
    """One probing task for each target. `changed` is called when a verdict changes, with the peer's name."""

    def __init__(self, ping: Ping, clock: Callable[[], float], changed: Callable[[str], None]) -> None:
        self._ping = ping
        self._clock = clock
        self._changed = changed
        self._interval = 1.0
        self._misses_allowed = 3
        self._targets: dict[str, Target] = {}
        self._reach: dict[str, Reach] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._hurry: dict[str, asyncio.Event] = {}

    def reach(self) -> Mapping[str, Reach]:
        """What is known now, by the peer's name."""
        return dict(self._reach)

    def aim(self, targets: Mapping[str, Target], interval: float, misses_allowed: int) -> None:
        """Probe these from now on, and nothing else. A target as before keeps what is known of it."""
        self._interval = interval
        self._misses_allowed = misses_allowed
        for name in self._targets.keys() - targets.keys():
            self._drop(name)
        for name, target in targets.items():
            if self._targets.get(name) != target:
                self._take(name, target)

    async def close(self) -> None:
        """Stop probing, and forget everything."""
        tasks = list(self._tasks.values())
        for name in list(self._targets):
            self._drop(name)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, name: str, target: Target) -> None:
        now = self._clock()
        known = self._reach.get(name)
        self._targets[name] = target
        self._reach[name] = Reach(since=now) if known is None else after_renewal(known, now)
        if name in self._tasks:
            self._hurry[name].set()
            return
        self._hurry[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._probe(name), name=f"probe {name}")

    def _drop(self, name: str) -> None:
        self._tasks.pop(name).cancel()
        del self._targets[name], self._reach[name], self._hurry[name]

    async def _probe(self, name: str) -> None:
        while True:
            target = self._targets[name]
            wait = timeout_of(self._reach[name], self._interval)
            try:
                rtt = await self._ping(target.address, target.source, wait)
            except DoorError:
                # The check that looks for raw sockets says so; here it is a tunnel that nothing is known of.
                rtt = None
                await asyncio.sleep(wait)
            if target == self._targets[name]:
                self._note(name, rtt)
            if rtt is None and self._reach[name].health is not Health.DEAD:
                continue
            hurry = self._hurry[name]
            hurry.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await hurry.wait()

    def _note(self, name: str, rtt: float | None) -> None:
        now = self._clock()
        before = self._reach[name]
        if rtt is None:
            self._reach[name] = after_loss(before, self._misses_allowed, now)
        else:
            self._reach[name] = after_answer(before, rtt, now)
        if self._reach[name].health is not before.health:
            self._changed(name)
