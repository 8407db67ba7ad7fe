# SPDX-License-Identifier: Apache-2.0
"""A clock that is set back while the agent runs."""

from datetime import UTC, datetime, timedelta

from appliance.checks.hands import Hands

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Times:
    """Both clocks, in the test's hands."""

    def __init__(self) -> None:
        self.monotonic, self.wall = 100.0, NOON
        self.hands = Hands(lambda: self.monotonic, lambda: self.wall)

    def after(self, seconds: float, wall: float | None = None) -> list[str]:
        self.monotonic += seconds
        self.wall += timedelta(seconds=seconds if wall is None else wall)
        return [finding.code for finding in self.hands.look()]


def test_clock_that_goes_is_nothing() -> None:
    times = Times()
    assert times.after(60) == []
    # NTP slews, and sets a late clock forward.
    assert times.after(60, 59.5) == []
    assert times.after(60, 7200) == []


def test_step_back_is_told_for_ten_minutes() -> None:
    times = Times()
    assert times.after(30, -3600) == ["clock-set-back"]
    assert times.after(300) == ["clock-set-back"]
    assert times.after(301) == []
