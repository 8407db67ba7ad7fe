# SPDX-License-Identifier: Apache-2.0
"""Overview: is all well, and if not, what is wrong and what to do. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from appliance.status.model import Snapshot, State
from appliance.status.words import ago
from appliance.tui.look import Look, Tone
from appliance.tui.page import Page, Row
from appliance.tui.pages import tunnels
from appliance.tui.pages.parts import RESYNC, best_path, condition, counts, fact, milliseconds, title
from appliance.tui.state import Known
from appliance.tui.text import Line, line

_TUNNELS = 4


def page(known: Known, width: int, look: Look) -> Page:
    """Conditions first, then the facts in the order in which things depend on each other."""
    snapshot = known.snapshot
    if snapshot is None:
        return Page(empty="nothing is known of this device yet; it is asked again every few seconds")
    rows = [condition(found, width, look) for found in known.conditions()]
    rows += [Row((part,)) for part in (title("This device", width, look), *_facts(snapshot))]
    rows += _ways(known, width, look)
    recent = known.happened[-6:][::-1]
    if recent:
        rows.append(Row((title("What happened last (7 has all)", width, look),)))
        rows += [Row((line(f"{one.at.astimezone():%H:%M:%S}  {one.text}", one.tone),)) for one in recent]
    return Page(rows=tuple(rows), actions=(RESYNC,))


def _ways(known: Known, width: int, look: Look) -> list[Row]:
    """The tunnels that carry traffic or are down come first; the rest has its own screen."""
    shown = tunnels.page(known, width, look)
    if not shown.rows:
        return []
    by_need = sorted(shown.rows, key=lambda row: not row.problem)[:_TUNNELS]
    left = len(shown.rows) - len(by_need)
    name = f"Tunnels ({left} more: 2)" if left else "Tunnels"
    return [Row((title(name, width, look), *shown.head)), *(replace(row, detail=()) for row in by_need)]


def _facts(snapshot: Snapshot) -> Iterator[Line]:
    yield _identity(snapshot)
    if snapshot.state is State.UNENROLLED:
        return
    yield _plan(snapshot)
    yield _control(snapshot)
    yield _tunnels(snapshot)
    yield _services(snapshot)
    yield _tables(snapshot)


def _identity(snapshot: Snapshot) -> Line:
    if snapshot.identity is None:
        return fact("Enrolled", "no: press 9", Tone.WARN)
    role = f", {snapshot.role}" if snapshot.role else ""
    return fact("Name", f"{snapshot.identity.name} in {snapshot.identity.cluster}{role}")


def _plan(snapshot: Snapshot) -> Line:
    if snapshot.state is State.NO_PLAN:
        return fact("Plan", "none yet", Tone.WARN)
    issued = ago(snapshot.plan_issued_at, snapshot.at)
    return fact("Plan", f"generation {snapshot.generation}, issued {issued}")


def _control(snapshot: Snapshot) -> Line:
    control = snapshot.control
    if control.connected:
        since = f" since {control.since.astimezone():%H:%M}" if control.since else ""
        return fact("Control", f"connected{since}, {control.url}")
    return fact("Control", f"not connected, {control.url or 'no address'}", Tone.WARN)


def _tunnels(snapshot: Snapshot) -> Line:
    ways = snapshot.tunnels
    if not ways:
        return fact("Tunnels", "none in the plan")
    up = sum(tunnel.up for tunnel in ways.values())
    best = best_path(snapshot)
    way = f", by {best[0]} ({milliseconds(best[1].rtt)})" if best else ""
    ipsec = f", {snapshot.ipsec}" if snapshot.ipsec else ""
    tone = Tone.GOOD if up == len(ways) else Tone.WARN if up else Tone.BAD
    return fact("Tunnels", f"{up} of {len(ways)} up{way}{ipsec}", tone)


def _services(snapshot: Snapshot) -> Line:
    services = snapshot.services
    if not services:
        return fact("Services", "none in the plan")
    answered = sum(port.tier is not None for port in services.values())
    tone = Tone.GOOD if answered == len(services) else Tone.BAD
    return fact("Services", f"{answered} of {len(services)} ports answered", tone)


def _tables(snapshot: Snapshot) -> Line:
    open_ = [f"{name} ({text})" for name, text in counts(snapshot)]
    if open_:
        return fact("Applied", "not all: " + ", ".join(open_), Tone.WARN)
    objects = sum(count.applied for count in snapshot.tables.values())
    return fact("Applied", f"all {objects} objects of {len(snapshot.tables)} tables", Tone.GOOD)
