# SPDX-License-Identifier: Apache-2.0
"""Tasks that run for as long as they are wanted, and try again with growing waits."""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Hashable, Mapping

BACKOFF_FIRST = 0.25
BACKOFF_MOST = 4.0

_log = logging.getLogger(__name__)


class Tries:
    """Waits longer after each failure, and logs a reason once and not each time."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._wait = BACKOFF_FIRST
        self._said = ""

    def succeeded(self) -> None:
        self._wait = BACKOFF_FIRST
        self._said = ""

    async def failed(self, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        if reason != self._said:
            _log.info("%s: %s; trying again", self._what, reason)
            self._said = reason
        await asyncio.sleep(self._wait * random.uniform(0.75, 1.25))  # noqa: S311 -- no secret
        self._wait = min(2 * self._wait, BACKOFF_MOST)


def keep(
    tasks: dict[Hashable, asyncio.Task[None]],
    wanted: Mapping[Hashable, Callable[[], Coroutine[None, None, None]]],
) -> None:
    """Start what is wanted and does not run, and cancel what runs and is not wanted."""
    for key in tasks.keys() - wanted.keys():
        tasks.pop(key).cancel()
    for key, start in wanted.items():
        if key not in tasks or tasks[key].done():
            tasks[key] = asyncio.create_task(start(), name=f"ownership {key}")
