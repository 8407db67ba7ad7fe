# SPDX-License-Identifier: Apache-2.0
"""From a snapshot to a verdict."""

from typing import Any

import pytest
from msgspec.structs import replace

from appliance.netcore.plan.exchange import PhaseCount
from appliance.status.health import conditions, worst
from appliance.status.model import Condition, Control, Severity, Snapshot, State, Tunnel
from tests.unit.status.snapshots import healthy, unenrolled


def verdict(snapshot: Snapshot) -> tuple[Severity, list[str]]:
    found = conditions(snapshot)
    return worst(found), [condition.code for condition in found]


def test_good_day_is_healthy() -> None:
    assert verdict(healthy()) == (Severity.INFO, [])


def test_unenrolled_says_what_to_do() -> None:
    (found,) = conditions(unenrolled())
    assert found.code == "not-enrolled"
    assert "orillo enroll" in found.remedy


@pytest.mark.parametrize(
    ("changes", "severity", "codes"),
    [
        ({"control": Control(error="no way there")}, Severity.DEGRADED, ["control-offline"]),
        ({"control": Control(connected=True, refused="damaged")}, Severity.DEGRADED, ["plan-refused"]),
        ({"state": State.NO_PLAN}, Severity.DEGRADED, ["plan-missing"]),
        (
            {"tunnels": {"a": Tunnel(up=True), "b": Tunnel(up=False)}},
            Severity.DEGRADED,
            ["tunnel-down"],
        ),
        (
            {"tunnels": {"a": Tunnel(up=False), "b": Tunnel(up=False)}},
            Severity.FAULT,
            ["tunnel-down", "tunnel-down"],
        ),
        ({"tables": {"routes": PhaseCount(waiting=1, reason="x")}}, Severity.DEGRADED, ["table-waiting"]),
        ({"tables": {"routes": PhaseCount(failed=1, waiting=1)}}, Severity.FAULT, ["table-failed"]),
        ({"conditions": (Condition("x", Severity.FAULT, "y"),)}, Severity.FAULT, ["x"]),
        ({"conditions": (Condition("x", Severity.INFO, "y"),)}, Severity.INFO, ["x"]),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], severity: Severity, codes: list[str]) -> None:
    assert verdict(replace(healthy(), **changes)) == (severity, codes)


def test_gravest_comes_first() -> None:
    snapshot = replace(
        healthy(), control=Control(error="no way there"), tables={"routes": PhaseCount(failed=1)}
    )
    assert verdict(snapshot) == (Severity.FAULT, ["table-failed", "control-offline"])
