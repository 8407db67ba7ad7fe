# SPDX-License-Identifier: Apache-2.0
"""The clock's hands, watched by the time since the boot, which nobody can set."""

from collections.abc import Callable
from datetime import datetime, timedelta

from appliance.netcore.health.kind import Finding

_STEP = timedelta(seconds=30)
_TOLD = 600.0


class Hands:
    """Sees the clock being set back. `monotonic` is in seconds, `wall` what the host says."""

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], datetime]) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._last = (wall(), monotonic())
        self._found: tuple[Finding, float] | None = None

    def look(self) -> list[Finding]:
        """The last step back, for as long as it is worth telling."""
        before, then = self._last
        wall, now = self._last = (self._wall(), self._monotonic())
        late = before + timedelta(seconds=now - then) - wall
        if late > _STEP:
            seconds = f"{late.total_seconds():.0f}"
            evidence = f"it went from {before:%F %T} to {wall:%F %T} UTC in {now - then:.0f} s"
            self._found = (Finding("clock-set-back", evidence, {"seconds": seconds}), now)
        if self._found is None or now - self._found[1] > _TOLD:
            return []
        return [self._found[0]]
