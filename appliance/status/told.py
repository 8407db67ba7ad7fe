# SPDX-License-Identifier: Apache-2.0
"""What follows from what the agent knows by itself, without any look at the box. Pure."""

from collections.abc import Iterator

from appliance.netcore.health.kind import Finding
from appliance.status.model import Snapshot, State

#: What the tables are called in a sentence.
TABLES = {"sysctls": "kernel settings", "dns": "names", "cni": "pod network", "pod-gateways": "pod gateways"}
#: So many repairs in five minutes are somebody's doing; and how long a single one is told of, seconds.
_FIGHT, _TOLD = 3, 60.0


def told(snapshot: Snapshot) -> list[Finding]:
    """The findings in a snapshot."""
    return [*_state(snapshot), *_control(snapshot), *_tunnels(snapshot), *tables(snapshot)]


def _state(snapshot: Snapshot) -> Iterator[Finding]:
    if snapshot.state is State.UNENROLLED:
        yield Finding("not-enrolled", "there is no identity on disk")
    if snapshot.state is State.NO_PLAN:
        yield Finding("plan-missing", "no plan is on disk, and none has come yet")


def _control(snapshot: Snapshot) -> Iterator[Finding]:
    control = snapshot.control
    if control.refused:
        yield Finding("plan-refused", control.refused)
    if snapshot.state is not State.UNENROLLED and not control.connected:
        yield Finding("control-offline", control.error or "it was not reached yet")


def _tunnels(snapshot: Snapshot) -> Iterator[Finding]:
    down = {name: tunnel.reason for name, tunnel in snapshot.tunnels.items() if not tunnel.up}
    for name, reason in sorted(down.items()):
        yield Finding("tunnel-down", reason or "no answer to its probe", {"peer": name})
    if down and len(down) == len(snapshot.tunnels):
        yield Finding("tunnels-all-down", f"{', '.join(sorted(down))} down")


def tables(snapshot: Snapshot) -> Iterator[Finding]:
    """The tables of the last pass that are not as they should be."""
    for name, count in sorted(snapshot.tables.items()):
        about = {"table": TABLES.get(name, name)}
        if count.failed:
            yield Finding("table-failed", f"{name}: {count.failed} failed: {count.reason}", about)
        elif count.waiting:
            yield Finding("table-waiting", f"{name}: {count.waiting} wait: {count.reason}", about)


def drifted(snapshot: Snapshot) -> Iterator[Finding]:
    """What others undid of late; no reason to look at everything."""
    for name, one in sorted(snapshot.drift.items()):
        about = {"table": TABLES.get(name, name)}
        what = ", ".join(one.what)
        if one.recent >= _FIGHT:
            yield Finding("drift-repeated", f"{one.recent} times in 5 minutes, last: {what}", about)
        elif (snapshot.at - one.at).total_seconds() <= _TOLD:
            yield Finding("drift-repaired", what, about)
