# SPDX-License-Identifier: Apache-2.0
"""Time and chance of the loops, injected so that a test has its own."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

#: How long the control endpoint holds a request for a plan that has not changed, seconds (RFC 7240, `wait`).
WAIT = 30

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0


async def pause_until(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set or the time is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


@dataclass(frozen=True)
class Timing:
    """`now` for certificates and status, `monotonic` and `pause` for the loops, `jitter` from 0 to 1."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[asyncio.Event, float], Awaitable[None]] = pause_until
    jitter: Callable[[], float] = random.random

    async def sleep(self, seconds: float) -> None:
        """Pause with nothing that could end it early."""
        await self.pause(asyncio.Event(), seconds)


def back_off(failures: int, jitter: float) -> float:
    """Seconds to wait after so many failures in a row: doubling from 1 to 30, less up to a half by chance."""
    whole = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 10))
    return max(_FIRST_PAUSE, whole * (1 - jitter / 2))
