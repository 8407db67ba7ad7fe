# SPDX-License-Identifier: Apache-2.0
"""From a snapshot to a verdict, with the reasons for it. Pure."""

from collections.abc import Iterator

from appliance.status.model import Condition, Severity, Snapshot, State

_ORDER = (Severity.INFO, Severity.DEGRADED, Severity.FAULT)


def conditions(snapshot: Snapshot) -> tuple[Condition, ...]:
    """All that is not as it should be, gravest first: its own conditions, and what follows."""
    found = [
        *snapshot.conditions,
        *_state(snapshot),
        *_control(snapshot),
        *_tunnels(snapshot),
        *_tables(snapshot),
    ]
    return tuple(sorted(found, key=lambda condition: -_ORDER.index(condition.severity)))


def worst(found: tuple[Condition, ...]) -> Severity:
    """The gravest severity; `INFO` stands for a healthy device."""
    return max((condition.severity for condition in found), key=_ORDER.index, default=Severity.INFO)


def _state(snapshot: Snapshot) -> Iterator[Condition]:
    if snapshot.state is State.UNENROLLED:
        yield Condition(
            "unenrolled",
            Severity.DEGRADED,
            "this device is not enrolled",
            "get a token from the operator and run `orillo enroll TOKEN`",
        )
    if snapshot.state is State.NO_PLAN:
        yield Condition(
            "no-plan",
            Severity.DEGRADED,
            "this device has no plan yet",
            "it comes by itself once the control endpoint is reached",
        )


def _control(snapshot: Snapshot) -> Iterator[Condition]:
    control = snapshot.control
    if control.refused:
        yield Condition("plan-refused", Severity.DEGRADED, f"no newer plan: {control.refused}")
    if snapshot.state is not State.UNENROLLED and not control.connected:
        text = control.error or "it was not reached yet"
        yield Condition("control-unreachable", Severity.DEGRADED, f"control endpoint: {text}")


def _tunnels(snapshot: Snapshot) -> Iterator[Condition]:
    down = [name for name, tunnel in snapshot.tunnels.items() if not tunnel.up]
    if not down:
        return
    if len(down) == len(snapshot.tunnels):
        yield Condition(
            "no-tunnel",
            Severity.FAULT,
            f"no tunnel is up ({', '.join(sorted(down))})",
            "check the uplink, and that charon runs (`orillo daemon charon`)",
        )
        return
    for name in sorted(down):
        reason = snapshot.tunnels[name].reason or "no answer to its probe"
        yield Condition("tunnel-down", Severity.DEGRADED, f"the tunnel to {name} is down: {reason}")


def _tables(snapshot: Snapshot) -> Iterator[Condition]:
    for name, count in sorted(snapshot.tables.items()):
        if count.failed:
            text = f"{name}: {count.failed} failed: {count.reason}"
            yield Condition("table-failed", Severity.FAULT, text)
        elif count.waiting:
            text = f"{name}: {count.waiting} waiting: {count.reason}"
            yield Condition("table-waiting", Severity.DEGRADED, text)
