# SPDX-License-Identifier: Apache-2.0
"""Screens as text, and the snapshots that they are made of."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from appliance.netcore.plan.exchange import PhaseCount
from appliance.status.model import Condition, Severity, Snapshot
from appliance.tui.frame import frame
from appliance.tui.look import Look
from appliance.tui.state import Known, heard, lost
from appliance.tui.text import plain
from appliance.tui.ui import Ui
from tests.unit.status.snapshots import healthy

SERIAL = Look()
CONDITIONS = (
    Condition("no-tunnel", Severity.FAULT, "no tunnel is up", "check the uplink"),
    Condition("table-failed", Severity.FAULT, "dns: 2 failed", "see the log of unbound"),
)


def text(known: Known, ui: Ui, look: Look = SERIAL, width: int = 80, height: int = 24) -> list[str]:
    """The screen without its tones and trailing blanks."""
    return [plain(line).rstrip() for line in frame(known, ui, look, width, height)]


def known(*words: Snapshot | str) -> Known:
    """What is known after these words."""
    found = Known()
    for word in words:
        found = heard(found, word) if isinstance(word, Snapshot) else lost(found, word)
    return found


def later(snapshot: Snapshot, seconds: float = 1.0) -> Snapshot:
    """The same device after a while."""
    return msgspec.structs.replace(snapshot, at=snapshot.at + timedelta(seconds=seconds))


def with_tunnel(snapshot: Snapshot, name: str, **fields: object) -> Snapshot:
    """The snapshot with one tunnel changed."""
    tunnel = msgspec.structs.replace(snapshot.tunnels[name], **fields)
    return msgspec.structs.replace(snapshot, tunnels={**snapshot.tunnels, name: tunnel})


def broken() -> Snapshot:
    """shop1 on a bad day: no tunnel, a table that failed, a dead backend."""
    down = {"up": False, "chosen": False, "rtt": None, "reason": "no answer on UDP 500 and 4500"}
    snapshot = with_tunnel(with_tunnel(healthy(), "connector-1", **down), "connector-2", **down)
    port = msgspec.structs.replace(snapshot.services["default/web:http"], tier=None, backends=())
    return msgspec.structs.replace(
        snapshot,
        hub=None,
        conditions=CONDITIONS,
        services={"default/web:http": port},
        tables={**snapshot.tables, "dns": PhaseCount(failed=2, reason="unbound does not answer")},
    )


def found(lines: Sequence[str], *words: str) -> bool:
    """Whether one line holds all the words."""
    return any(all(word in line for word in words) for line in lines)
