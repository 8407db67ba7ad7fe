# SPDX-License-Identifier: Apache-2.0
"""Whether the backends on this device answer: a TCP connect to each of them, again and again.

A new backend counts as alive, since the cloud called it ready. Two failures in a row make it dead, one
success makes it alive.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from appliance.netcore.plan.values import Address

#: An address and its TCP port.
Target = tuple[Address, int]

_FAILURES = 2
_AT_ONCE = 32
_TIMEOUT = 1.0


async def tcp_answers(target: Target, timeout: float = _TIMEOUT) -> bool:
    """Whether a TCP connection to `target` comes about within `timeout` seconds."""
    address, port = target
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(str(address), port)
    except OSError:  # TimeoutError is one of them
        return False
    # Reset rather than closed in four steps: a probe each second leaves no trail of TIME_WAIT.
    writer.transport.abort()
    return True


class BackendProbes:
    """Probes all targets each `interval` seconds, and calls `on_change` with the dead ones when they change.

    `answers` and `sleep` are given by tests. Without targets nothing wakes up.
    """

    def __init__(
        self,
        on_change: Callable[[frozenset[Target]], None],
        *,
        interval: float = 1.0,
        answers: Callable[[Target], Awaitable[bool]] = tcp_answers,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._on_change = on_change
        self._interval = interval
        self._answers = answers
        self._sleep = sleep
        self._failures: dict[Target, int] = {}
        self._said: frozenset[Target] = frozenset()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def dead(self) -> frozenset[Target]:
        """The targets that failed twice in a row, and did not answer since."""
        return frozenset(target for target, failures in self._failures.items() if failures >= _FAILURES)

    def set_targets(self, targets: Collection[Target]) -> None:
        """Probe these from now on; what is known of those that stay is kept."""
        self._failures = {target: self._failures.get(target, 0) for target in targets}
        if self._failures:
            self._wanted.set()
        else:
            self._wanted.clear()
        self._tell()

    async def probe_all(self) -> None:
        """One round over all targets."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(target: Target) -> None:
            async with slots:
                answered = await self._answers(target)
            # The targets may have changed meanwhile.
            if target in self._failures:
                self._failures[target] = 0 if answered else self._failures[target] + 1

        async with asyncio.TaskGroup() as group:
            for target in tuple(self._failures):
                group.create_task(one(target))
        self._tell()

    def start(self) -> None:
        """Probe from now on, in a task of the running loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="backend probes")

    async def stop(self) -> None:
        """End the task, if it runs, and wait for its end."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            await self.probe_all()
            await self._sleep(self._interval)

    def _tell(self) -> None:
        dead = self.dead
        if dead != self._said:
            self._said = dead
            self._on_change(dead)
