# SPDX-License-Identifier: Apache-2.0
"""Path: the way from here to a peer, a service or an address, step by step, and where it breaks. Pure.

It is made of what the status holds. A step that is not known says so; none is guessed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from appliance.status.answers import Hop, Walk
from appliance.status.model import ServicePort, Snapshot, State
from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Page, Row
from appliance.tui.pages.parts import milliseconds
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Span, line, wrap

_ASK = Action("p", "to whom", "path ", ask=True)
_HOW = (
    "Press p and type to whom: a peer, a service or an address; that is answered from the status. "
    "With two ends, and a port if you like (shop1 web, or shop1 shop2 443), each step is measured."
)
_LABEL = 12
_MARK = {True: Span("ok  ", Tone.GOOD), False: Span("HERE", Tone.BAD), None: Span("?   ", Tone.DIM)}


@dataclass(frozen=True)
class Step:
    """One step: `good` is None where the status does not tell."""

    name: str
    good: bool | None
    text: str


def page(known: Known, target: str, width: int, _look: Look) -> Page:
    """One row a step; the first that is not good is where it breaks."""
    if known.snapshot is None:
        return Page(empty="nothing is known of any path yet")
    if not target:
        return Page(empty=_HOW, actions=(_ASK,))
    if known.walk is not None and _is_of(known.walk, target):
        return _walked(known.walk, width)
    rows = [Row((line(f"From this device to {target}:", Tone.STRONG), EMPTY))]
    rows += [_row(step, width) for step in steps(known.snapshot, target)]
    return Page(rows=tuple(rows), actions=(_ASK,))


def _is_of(walk: Walk, target: str) -> bool:
    return target.split() == [walk.a, walk.b, *([] if walk.port is None else [str(walk.port)])]


def _walked(walk: Walk, width: int) -> Page:
    """What the agent found when it walked the path."""
    port = "" if walk.port is None else f" port {walk.port}"
    rows = [Row((line(f"From {walk.a} to {walk.b}{port}, measured:", Tone.STRONG), EMPTY))]
    rows += [_hop(hop, width) for hop in walk.hops]
    end = f"It breaks at: {walk.breaks}." if walk.breaks else "It holds, as far as this device can see."
    rows.append(Row((EMPTY, line(end, Tone.BAD if walk.breaks else Tone.GOOD))))
    return Page(rows=tuple(rows), actions=(_ASK,))


def _hop(hop: Hop, width: int) -> Row:
    row = _row(Step(hop.step, hop.ok, hop.text), width)
    more = [(hop.evidence, Tone.DIM), (f"-> {hop.remedy}" if hop.remedy else "", Tone.STRONG)]
    room, margin = max(10, width - _LABEL - 6), " " * (_LABEL + 6)
    below = [(Span(margin + part, tone),) for text, tone in more for part in wrap(text, room)]
    return Row((*row.lines, *below), problem=row.problem)


def _row(step: Step, width: int) -> Row:
    parts = list(wrap(step.text, max(10, width - _LABEL - 6)))
    head = (
        _MARK[step.good],
        Span("  "),
        Span(f"{step.name:<{_LABEL}}", Tone.DIM),
        Span(parts[0] if parts else ""),
    )
    rest = [(Span(" " * (_LABEL + 6) + part),) for part in parts[1:]]
    return Row((head, *rest), problem=step.good is False)


def steps(snapshot: Snapshot, target: str) -> Iterator[Step]:
    """The steps in the order in which a packet needs them."""
    if snapshot.state is not State.RUNNING:
        yield Step(
            "plan", False, "this device has no plan, so it knows no way: enrol it (9), or wait for the plan"
        )
        return
    yield Step("plan", True, f"generation {snapshot.generation}")
    for table in ("firewall", "routes"):
        yield from _table(snapshot, table)
    service = _service(snapshot, target)
    if service is not None:
        yield from _by_service(snapshot, *service)
        return
    if target in snapshot.tunnels:
        yield from _table(snapshot, "connections")
        yield _tunnel(snapshot, target)
        return
    yield from _by_hub(snapshot)
    yield Step("beyond", None, "what lies behind the tunnel is not in the status: `orillo why` measures it")


def _table(snapshot: Snapshot, name: str) -> Iterator[Step]:
    count = snapshot.tables.get(name)
    if count is None:
        return
    if count.failed or count.waiting:
        how = f"{count.failed} failed" if count.failed else f"{count.waiting} not yet in place"
        yield Step(name, False, f"{how}: {count.reason}")
    else:
        yield Step(name, True, f"{count.applied} objects as planned")


def _service(snapshot: Snapshot, target: str) -> tuple[str, ServicePort] | None:
    host, _, number = target.rpartition(":") if target.count(":") == 1 else (target, "", "")
    for name, port in sorted(snapshot.services.items()):
        full, _, label = name.partition(":")
        names = (name, full, full.rpartition("/")[2], *port.addresses)
        if target in names or (host in names and number in (str(port.port), label)):
            return name, port
    return None


def _by_service(snapshot: Snapshot, name: str, port: ServicePort) -> Iterator[Step]:
    alive = [backend for backend in port.backends if backend.alive]
    used = [backend for backend in alive if backend.used]
    where = f"{', '.join(port.addresses)} {port.protocol}/{port.port}"
    yield Step("service", True, f"{name} at {where}")
    if not used:
        dead = (
            ", ".join(f"{backend.address}:{backend.port}" for backend in port.backends)
            or "none is in the plan"
        )
        yield Step("backend", False, f"nobody answers; of its backends none is alive ({dead})")
        return
    who = ", ".join(f"{backend.address}:{backend.port}" for backend in used[:3])
    yield Step("backend", True, f"tier {port.tier}: {who} ({len(alive)} of {len(port.backends)} alive)")
    if port.tier is not None and port.tier not in ("node", "site"):
        yield from _by_hub(snapshot)


def _by_hub(snapshot: Snapshot) -> Iterator[Step]:
    yield from _table(snapshot, "connections")
    if snapshot.hub is None:
        if snapshot.tunnels:
            up = [name for name, tunnel in snapshot.tunnels.items() if tunnel.up]
            yield Step(
                "hub", False if not up else None, f"none is chosen; up: {', '.join(up) or 'no tunnel'}"
            )
        return
    yield Step("hub", True, snapshot.hub)
    yield _tunnel(snapshot, snapshot.hub)


def _tunnel(snapshot: Snapshot, name: str) -> Step:
    tunnel = snapshot.tunnels.get(name)
    if tunnel is None:
        return Step("tunnel", None, f"{name} is not in the status")
    if not tunnel.up:
        return Step("tunnel", False, f"{name} is down: {tunnel.reason or 'its probe is not answered'}")
    loss = f", {tunnel.loss:.0%} lost" if tunnel.loss else ""
    return Step("tunnel", True, f"{name} is up, its probe is back after {milliseconds(tunnel.rtt)}{loss}")
