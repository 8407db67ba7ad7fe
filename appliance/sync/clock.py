# SPDX-License-Identifier: Apache-2.0
"""What time it is at least, on a device that may have no clock of its own.

Never before this program was made, before the plan on disk was issued, before the certificate begins, or
before the control endpoint was last seen. The host's clock is its owner's: it is never set here.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance import MADE
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.files import read_text, write_atomic

#: No program of this version can run before that.
BUILT = datetime.fromisoformat(MADE)
_WRITTEN_AGAIN = timedelta(hours=1)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def moment(year: str, month: str, day: str, clock: str) -> datetime:
    """What HTTP (RFC 9110, section 5.6.7) and OpenSSL write: `2026 Nov 8 06:49:37`. Raises `ValueError`.

    The library's parsers would bring the calendar of every country into the agent's memory.
    """
    hour, minute, second = map(int, clock.split(":"))
    return datetime(int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC)


def host_clock() -> datetime:
    """What the host says."""
    return datetime.now(UTC)


class Clock:
    """The host's clock with a floor. `file` keeps when the control endpoint was last seen."""

    def __init__(self, file: Path, host: Callable[[], datetime] = host_clock) -> None:
        self._file = file
        self._host = host
        self.seen = _read(file)
        self._floor = max(BUILT, self.seen or BUILT)

    def now(self) -> datetime:
        """The time, as far as it is known."""
        return max(self._host(), self._floor)

    def is_behind(self, slack: timedelta) -> bool:
        """Whether the host's clock says a time that is certainly over."""
        return self._host() + slack < self._floor

    def rely_on(self, dates: Iterable[datetime]) -> None:
        """It can't be before any of these: of a plan or a certificate that was verified."""
        self._floor = max(self._floor, *dates, BUILT)

    def saw(self) -> None:
        """The control endpoint was just reached, and its certificate is of this time. Raises `DoorError`."""
        now = self._host()
        if now < self._floor:
            return
        self._floor = now
        if self.seen is None or now - self.seen >= _WRITTEN_AGAIN:
            write_atomic(self._file, f"{now.isoformat(timespec='seconds')}\n".encode(), 0o600)
            self.seen = now


def _read(file: Path) -> datetime | None:
    """A damaged memory is none: a floor that is too low does no harm."""
    try:
        moment = datetime.fromisoformat((read_text(file) or "").strip())
    except (DoorError, ValueError):
        return None
    return moment if moment.tzinfo is not None else None


def at_least(*dates: datetime) -> Callable[[], datetime]:
    """The host's clock, but not before these dates or before this program was made."""
    return lambda: max(host_clock(), BUILT, *dates)
