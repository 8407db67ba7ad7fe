# SPDX-License-Identifier: Apache-2.0
"""Held requests: who waits for news of which device."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable


class Polls:
    """The waiters, by device. Nothing polls: a waiter sleeps until it is woken or its time is over."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._closed = False

    async def wait(self, name: str, seconds: float) -> bool:
        """Sleep until `wake(name)`; False if `seconds` went by first or the server is ending.

        The waiter counts from the call on, so that news between a look and the call can't be missed as
        long as nothing is awaited in between.
        """
        if self._closed or seconds <= 0:
            return False
        woken = asyncio.get_running_loop().create_future()
        self._waiting[name].add(woken)
        try:
            async with asyncio.timeout(seconds):
                await woken
        except TimeoutError:
            return False
        finally:
            self._forget(name, woken)
        return not self._closed

    def wake(self, names: Iterable[str]) -> None:
        """There is news for these."""
        for name in names:
            for woken in self._waiting.get(name, ()):
                if not woken.done():
                    woken.set_result(None)

    def close(self) -> None:
        """End all waiting, now and later: the server is ending."""
        self._closed = True
        self.wake(list(self._waiting))

    def held(self, name: str) -> int:
        """How many requests of this device wait at present."""
        return len(self._waiting.get(name, ()))

    def _forget(self, name: str, woken: asyncio.Future[None]) -> None:
        self._waiting[name].discard(woken)
        if not self._waiting[name]:
            del self._waiting[name]
