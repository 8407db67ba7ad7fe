# SPDX-License-Identifier: Apache-2.0
"""The device in one line."""

import re
from dataclasses import dataclass

import msgspec
import pytest

from appliance.netcore.plan.exchange import PhaseCount
from appliance.status.headline import headline
from appliance.status.model import Control, Snapshot, State, Tunnel
from tests.unit.status.snapshots import NOW, healthy


@dataclass(frozen=True)
class Case:
    """A snapshot and its line."""

    snapshot: Snapshot
    line: str


_DOWN = {name: Tunnel(up=False) for name in ("connector-1", "connector-2")}


@pytest.mark.parametrize(
    "case",
    [
        Case(Snapshot(at=NOW, state=State.UNENROLLED), "not enrolled"),
        Case(healthy(), "edge in lab, healthy"),
        Case(
            msgspec.structs.replace(healthy(), control=Control(error="no way there")),
            "edge in lab, degraded: control-offline",
        ),
        Case(
            msgspec.structs.replace(
                healthy(),
                control=Control(error="no way there"),
                tunnels=_DOWN,
                tables={"routes": PhaseCount(failed=1)},
            ),
            "",
        ),
    ],
)
def test_state_and_the_gravest_codes(case: Case) -> None:
    line = headline(case.snapshot)
    assert "\n" not in line
    assert len(line) < 200
    if case.line:
        assert line == case.line
    else:
        # Each code once, however many tunnels are down.
        assert line.startswith("edge in lab, fault: tunnel-down, ")
        assert line.count("tunnel-down") == 1
        assert re.search(r", \+\d+$", line)
