# SPDX-License-Identifier: Apache-2.0
"""Reports out: after each change of what they say, at most one a second, and one a minute in any case."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec

from appliance.netcore.plan.exchange import Report
from appliance.sync.errors import ControlError
from appliance.sync.timing import Timing

log = logging.getLogger(__name__)

_AT_LEAST_EVERY = 60.0
_AT_MOST_EVERY = 1.0


class Reporter:
    """Sends what `report()` says, while the control endpoint is reached."""

    def __init__(
        self, report: Callable[[], Report], send: Callable[[Report], Awaitable[None]], timing: Timing
    ) -> None:
        self._report = report
        self._send = send
        self._timing = timing
        self._changed = asyncio.Event()
        self._online = asyncio.Event()
        self._sent: tuple[Report, float] | None = None

    def changed(self) -> None:
        """There may be something new to say."""
        self._changed.set()

    def again(self) -> None:
        """Send the next report whatever it says."""
        self._sent = None
        self._changed.set()

    def online(self, connected: bool) -> None:
        """The long poll decides whether the control endpoint is reached; nothing is tried while it is not."""
        if connected:
            self._online.set()
            self._changed.set()
        else:
            self._online.clear()

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self._online.wait()
            self._changed.clear()
            if await self.send_if_due():
                await self._timing.sleep(_AT_MOST_EVERY)
            await self._timing.pause(self._changed, _AT_LEAST_EVERY)

    async def send_if_due(self) -> bool:
        """Send the report if it says something new or the last one is old; whether it was tried."""
        report = self._report()
        now = self._timing.monotonic()
        if self._sent is not None:
            before, at = self._sent
            if _content(before) == _content(report) and now - at < _AT_LEAST_EVERY:
                return False
        try:
            await self._send(report)
        except ControlError as error:
            # Only "again later" here: the one line about being offline is the long poll's.
            log.debug("report: not sent: %s", error)
            self._sent = None
            return True
        self._sent = (report, now)
        return True


def _content(report: Report) -> Report:
    """The report without what changes by itself."""
    tunnels = {name: msgspec.structs.replace(tunnel, rtt=None) for name, tunnel in report.tunnels.items()}
    return msgspec.structs.replace(report, at=datetime.min.replace(tzinfo=UTC), tunnels=tunnels)
