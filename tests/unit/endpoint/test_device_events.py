# SPDX-License-Identifier: Apache-2.0
"""Events are told once, when something changes."""

from datetime import UTC, datetime
from typing import Literal

from cloud.device_events import events
from cloud.source.status import Condition, DeviceStatus

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def status(answer: Literal["True", "False", "Unknown"]) -> DeviceStatus:
    """A device whose tunnel is like this."""
    return DeviceStatus(conditions=(Condition("TunnelUp", answer, "Because", NOW, "no echo"),))


def test_a_change_is_told_once() -> None:
    (event,) = events("shop1", status("True"), status("False"), NOW)
    assert (event["type"], event["reason"]) == ("Warning", "Because")
    assert "no echo" in event["message"]
    assert [event["type"] for event in events("shop1", status("False"), status("True"), NOW)] == ["Normal"]


def test_what_is_no_change_is_not_told() -> None:
    for before in (None, status("True")):
        assert list(events("shop1", before, status("True"), NOW)) == []
    assert list(events("shop1", status("True"), status("Unknown"), NOW)) == []
