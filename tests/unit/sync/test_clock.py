# SPDX-License-Identifier: Apache-2.0
"""The floor under the host's clock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.sync.clock import BUILT, Clock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TODAY = BUILT + timedelta(days=100)


def test_program_is_not_from_the_future() -> None:
    assert datetime(2026, 1, 1, tzinfo=UTC) < BUILT < datetime.now(UTC)


def test_clock_that_starts_at_nought_is_floored_by_build_and_by_what_was_verified(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "last-seen", lambda: EPOCH)
    assert clock.now() == BUILT
    clock.rely_on([TODAY, BUILT - timedelta(days=1)])
    assert clock.now() == TODAY
    assert clock.is_behind(timedelta(minutes=2))


def test_right_clock_is_left_alone(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "last-seen", lambda: TODAY)
    assert clock.now() == TODAY
    assert not clock.is_behind(timedelta(0))


def test_last_time_seen_survives_a_reboot(tmp_path: Path) -> None:
    Clock(tmp_path / "last-seen", lambda: TODAY).saw()
    after = Clock(tmp_path / "last-seen", lambda: EPOCH)
    assert after.now() == TODAY
    assert after.is_behind(timedelta(minutes=2))


def test_clock_that_is_known_to_be_behind_is_not_remembered(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "last-seen", lambda: EPOCH)
    clock.saw()
    assert not (tmp_path / "last-seen").exists()


def test_flash_is_written_once_an_hour(tmp_path: Path) -> None:
    now = [TODAY]
    clock = Clock(tmp_path / "last-seen", lambda: now[0])
    clock.saw()
    first = (tmp_path / "last-seen").read_text()
    now[0] += timedelta(minutes=59)
    clock.saw()
    assert (tmp_path / "last-seen").read_text() == first
    now[0] += timedelta(minutes=2)
    clock.saw()
    assert (tmp_path / "last-seen").read_text() != first


def test_damaged_memory_is_none(tmp_path: Path) -> None:
    for damaged in ("", "soon", "2026-01-01"):
        (tmp_path / "last-seen").write_text(damaged)
        assert Clock(tmp_path / "last-seen", lambda: EPOCH).now() == BUILT
