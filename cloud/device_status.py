# SPDX-License-Identifier: Apache-2.0
"""What to say of each device to the people who run the cluster: pure, from what the operator knows."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from dataclasses import replace as dataclass_replace
from datetime import datetime, timedelta

from msgspec.structs import replace

from appliance.netcore.plan.exchange import Report
from cloud.app import App
from cloud.conditions import is_bad, kept, say
from cloud.planner.model import Node
from cloud.source.resources import DEVICES, NODES
from cloud.source.source import Key
from cloud.source.status import Condition, DeviceStatus, Generations, Tunnel
from cloud.store.devices import StoredDevice
from cloud.store.heads import PlanHead

#: A status that differs in nothing but when the device was seen is written again after so long: ten thousand
#: devices that ask each half a minute would otherwise be three hundred writes a second to etcd.
SEEN_EVERY = timedelta(minutes=5)
#: So many devices are looked up one by one.
_FEW = 500
#: A device asks at least so often.
_SILENCE = timedelta(seconds=150)


#: The kinds that say what a device is.
_OF_A_DEVICE = (DEVICES.kind.name, NODES.kind.name)


@dataclass(frozen=True)
class Known:
    """All that the operator knows of one device.

    `refused`: why its objects can't be taken in as they are. `here`: it speaks to this replica, to no other.
    """

    node: Node | None
    device: StoredDevice | None
    plan: PlanHead | None
    polled: datetime | None
    refused: str = ""
    here: bool = True

    @property
    def last_seen(self) -> datetime | None:
        """When it last reported or asked, to the second."""
        moments = [moment for moment in (self.device and self.device.last_seen, self.polled) if moment]
        return max(moments).replace(microsecond=0) if moments else None


def speaks_here(known: Known, before: DeviceStatus | None, now: datetime) -> bool:
    """Whether the device speaks to this replica: it did a moment ago, and nobody heard it since."""
    if known.polled is None or now - known.polled > _SILENCE or known.last_seen is None:
        return False
    return before is None or before.last_seen is None or before.last_seen <= known.last_seen


def known_devices(
    app: App, nodes: Mapping[str, Node], refused: Mapping[Key, str], names: Set[str] | None = None
) -> dict[str, Known]:
    """Every device among the inventory's `nodes`, every one that ever enrolled, and every refused Device.

    With `names` those of them alone, for less work.
    """
    few = names is not None and len(names) < _FEW
    enrolled = app.store.devices.latest(sorted(names) if names is not None and few else None)
    plans = {name: app.head(name) for name in names} if names is not None and few else app.heads()
    asked = {name for kind, _, name in refused if kind == DEVICES.kind.name}
    every = nodes.keys() | enrolled.keys() | asked
    return {
        name: Known(
            nodes.get(name),
            enrolled.get(name),
            plans.get(name),
            app.seen.get(name),
            next((refused[key] for kind in _OF_A_DEVICE if (key := (kind, "", name)) in refused), ""),
        )
        for name in sorted(every if names is None else every & names)
    }


def device_status(known: Known, before: DeviceStatus | None, now: datetime) -> DeviceStatus:
    """The status of one device. A condition that is as it was `before` keeps its time."""
    if before is not None and not known.here:
        return _status_from_afar(known, before, now)
    device, plan = known.device, known.plan
    report = device.report if device and known.here else None
    conditions = tuple(
        kept(condition, before.conditions if before else ()) for condition in _conditions(known, report, now)
    )
    desired = plan.generation if plan and not plan.withdrawn else 0
    applied = report.generation if report else 0
    return DeviceStatus(
        state="not-enrolled" if device is None else "revoked" if device.revoked_at else "enrolled",
        role=known.node.place.role if known.node else None,
        site=known.node.place.site if known.node else "",
        instance=device.instance if device else "",
        generation=Generations(desired=desired, applied=applied, lag=max(desired - applied, 0)),
        last_seen=known.last_seen,
        agent=report.agent if report else "",
        ipsec=report.ipsec if report else "",
        tunnels={
            name: Tunnel(up=tunnel.up, chosen=tunnel.chosen, reason=tunnel.reason)
            for name, tunnel in (report.tunnels if report else {}).items()
        },
        message=next((c.message for c in conditions if is_bad(c) and c.message), ""),
        conditions=conditions,
    )


def _status_from_afar(known: Known, before: DeviceStatus, now: datetime) -> DeviceStatus:
    """The status of a device that speaks to another replica, which wrote down what it says of itself."""
    fresh = device_status(dataclass_replace(known, device=_silent(known.device), here=True), None, now)
    desired, applied = fresh.generation.desired, before.generation.applied
    told = {condition.type: condition for condition in before.conditions}
    conditions = {c.type: told.get(c.type, c) for c in fresh.conditions}
    conditions["Planned"] = kept(next(c for c in fresh.conditions if c.type == "Planned"), before.conditions)
    if applied < desired and applied:
        behind = say("Applied", False, "Behind", f"it runs by generation {applied}", now)
        conditions["Applied"] = kept(behind, before.conditions)
    lag = max(desired - applied, 0)
    return replace(
        before,
        state=fresh.state,
        role=fresh.role,
        site=fresh.site,
        instance=fresh.instance,
        generation=Generations(desired=desired, applied=applied, lag=lag),
        message=next((c.message for c in conditions.values() if is_bad(c) and c.message), ""),
        conditions=tuple(conditions.values()),
    )


def _silent(device: StoredDevice | None) -> StoredDevice | None:
    """The device without what it once said here."""
    return dataclass_replace(device, report=None) if device else None


def worth_writing(status: DeviceStatus, written: DeviceStatus | None) -> bool:
    """Whether anyone would want to know of it."""
    if written is None:
        return True
    if replace(status, last_seen=None) != replace(written, last_seen=None):
        return True
    if status.last_seen is None or written.last_seen is None:
        return status.last_seen != written.last_seen
    return status.last_seen - written.last_seen >= SEEN_EVERY


def _conditions(known: Known, report: Report | None, now: datetime) -> Iterator[Condition]:
    yield _planned(known, now)
    yield _applied(known, report, now)
    yield _tunnel_up(report, now)
    yield _degraded(report, now)


def _planned(known: Known, now: datetime) -> Condition:
    if known.refused:
        return say("Planned", False, "Refused", known.refused, now)
    if known.plan and not known.plan.withdrawn:
        return say("Planned", True, "PlanMade", "", now)
    if known.device is None or known.device.revoked_at:
        return say("Planned", False, "NotEnrolled", "it waits for a token: orillo-cloud token create", now)
    return say("Planned", False, "NoNode", "there is no Node or Device that says what it is for", now)


def _applied(known: Known, report: Report | None, now: datetime) -> Condition:
    if report is None:
        return say("Applied", None, "NoReport", "it has not reported yet", now)
    if report.refused:
        return say("Applied", False, "Refused", report.refused, now)
    plan = known.plan  # of one that is not here the digest is not known to its last digit
    if plan is None or not plan.digest or not report.digest.startswith(plan.digest):
        return say("Applied", False, "Behind", f"it runs by generation {report.generation}", now)
    return say("Applied", True, "InForce", "", now)


def _tunnel_up(report: Report | None, now: datetime) -> Condition:
    if report is None:
        return say("TunnelUp", None, "NoReport", "", now)
    if not report.tunnels:
        return say("TunnelUp", None, "NoTunnels", "its plan has no tunnel that it probes", now)
    if any(tunnel.up for tunnel in report.tunnels.values()):
        return say("TunnelUp", True, "ProbeAnswered", "", now)
    reasons = sorted({tunnel.reason for tunnel in report.tunnels.values() if tunnel.reason})
    return say("TunnelUp", False, "NoProbeAnswered", "; ".join(reasons), now)


def _degraded(report: Report | None, now: datetime) -> Condition:
    if report is None:
        return say("Degraded", None, "NoReport", "", now)
    failed = {name: table for name, table in sorted(report.tables.items()) if table.failed}
    if failed:
        text = "; ".join(f"{name}: {table.reason}" for name, table in failed.items())
        return say("Degraded", True, "TablesFailed", text, now)
    return say("Degraded", False, "AllInForce", "", now)
