# SPDX-License-Identifier: Apache-2.0
"""Path: the way from here to a peer, a service or an address, step by step, and where it breaks. Pure.

The agent walks it and tells each step as it is known. Where it can't be asked, the steps are those that the
status holds; one that is not known says so, and none is guessed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from appliance.status.answers import Hop, Walk
from appliance.status.model import ServicePort, Snapshot, State
from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Name, Page, Row, key_of
from appliance.tui.pages.parts import milliseconds
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Span, line, pad, wrap

_ASK = Action("p", "to whom", "path ", ask=True)
_HOW = (
    "Press p and type to whom: a peer, a service or an address; or two ends, and a port if you like "
    "(shop1 web, or shop1 shop2 443). Started by root, each step is measured, and shown as it is known."
)
_LABEL = 12
_MARK = {True: ("ok", Tone.GOOD), False: ("HERE", Tone.BAD), None: ("?", Tone.DIM)}


@dataclass(frozen=True)
class Step:
    """One step: `good` is None where the status does not tell."""

    name: str
    good: bool | None
    text: str


def page(known: Known, target: str, width: int, look: Look) -> Page:
    """One row a step; the first that is not good is where it breaks."""
    if known.snapshot is None:
        return Page(empty=look.say("nothing is known of any path yet"))
    if not target:
        return Page(empty=look.say(_HOW), actions=(_ASK,))
    if known.walk is not None and _is_of(known.walk, target):
        return _walked(known.walk, known, width, look)
    title = look.say("From this device to {target}:", target=target)
    made = [Row((line(title, Tone.STRONG), EMPTY))]
    made += [_row(step, width, look) for step in steps(known.snapshot, target, look)]
    return Page(rows=tuple(made), actions=(_ASK,))


def _is_of(walk: Walk, target: str) -> bool:
    return target.split() == [walk.a, walk.b, *([] if walk.port is None else [str(walk.port)])]


def _walked(walk: Walk, known: Known, width: int, look: Look) -> Page:
    """What the agent has found so far, walking the path."""
    port = "" if walk.port is None else look.say(" port {port}", port=walk.port)
    title = look.say("From {a} to {b}{port}, measured:", a=walk.a, b=walk.b, port=port)
    made = [Row((line(title, Tone.STRONG), EMPTY))]
    made += [_hop(hop, width, look) for hop in walk.hops]
    made.append(_end(walk, known, look))
    return Page(rows=tuple(made), actions=(_ASK,), follow=known.walking)


def _end(walk: Walk, known: Known, look: Look) -> Row:
    if known.walking:
        return Row((line(look.say("... walking on"), Tone.DIM),))
    if walk.breaks:
        return Row((EMPTY, line(look.say("It breaks at: {step}.", step=walk.breaks), Tone.BAD)), problem=True)
    if "why" in known.unanswered:
        return Row((EMPTY, line(known.unanswered["why"], Tone.BAD)), problem=True)
    return Row((EMPTY, line(look.say("It holds, as far as this device can see."), Tone.GOOD)))


def _hop(hop: Hop, width: int, look: Look) -> Row:
    row = _row(Step(hop.step, hop.ok, hop.text), width, look)
    remedy = f"{look.signs.arrow} {hop.remedy}" if hop.remedy else ""
    more = [(hop.evidence, Tone.DIM), (remedy, Tone.STRONG)]
    room, margin = max(10, width - _LABEL - 6), " " * (_LABEL + 6)
    below = [(Span(margin + part, tone),) for text, tone in more for part in wrap(text, room)]
    return Row((*row.lines, *below), problem=row.problem)


def _row(step: Step, width: int, look: Look) -> Row:
    parts = list(wrap(step.text, max(10, width - _LABEL - 6)))
    word, tone = _MARK[step.good]
    head = (
        Span(pad(look.say(word), 4), tone),
        Span("  "),
        Span(pad(step.name, _LABEL), Tone.DIM),
        Span(parts[0] if parts else ""),
    )
    rest = [(Span(" " * (_LABEL + 6) + part),) for part in parts[1:]]
    return Row((head, *rest), problem=step.good is False)


def steps(snapshot: Snapshot, target: str, look: Look) -> Iterator[Step]:
    """The steps in the order in which a packet needs them."""
    if snapshot.state is not State.RUNNING:
        text = "this device has no plan, so it knows no way: enrol it ({key}), or wait for the plan"
        yield Step("plan", False, look.say(text, key=key_of(Name.ENROL)))
        return
    yield Step("plan", True, look.say("generation {number}", number=snapshot.generation))
    for table in ("firewall", "routes"):
        yield from _table(snapshot, table, look)
    service = _service(snapshot, target)
    if service is not None:
        yield from _by_service(snapshot, *service, look)
        return
    if target in snapshot.tunnels:
        yield from _table(snapshot, "connections", look)
        yield _tunnel(snapshot, target, look)
        return
    yield from _by_hub(snapshot, look)
    text = "what lies behind the tunnel is not in the status: started by root, it is measured"
    yield Step("beyond", None, look.say(text))


def _table(snapshot: Snapshot, name: str, look: Look) -> Iterator[Step]:
    count = snapshot.tables.get(name)
    if count is None:
        return
    if count.failed:
        yield Step(name, False, look.say("{count} failed: {reason}", count=count.failed, reason=count.reason))
    elif count.waiting:
        text = look.say("{count} waiting: {reason}", count=count.waiting, reason=count.reason)
        yield Step(name, False, text)
    else:
        yield Step(name, True, look.say("{count} objects as planned", count=count.applied))


def _service(snapshot: Snapshot, target: str) -> tuple[str, ServicePort] | None:
    host, _, number = target.rpartition(":") if target.count(":") == 1 else (target, "", "")
    for name, port in sorted(snapshot.services.items()):
        full, _, label = name.partition(":")
        names = (name, full, full.rpartition("/")[2], *port.addresses)
        if target in names or (host in names and number in (str(port.port), label)):
            return name, port
    return None


def _by_service(snapshot: Snapshot, name: str, port: ServicePort, look: Look) -> Iterator[Step]:
    alive = [backend for backend in port.backends if backend.alive]
    used = [backend for backend in alive if backend.used]
    where = f"{', '.join(port.addresses)} {port.protocol}/{port.port}"
    yield Step("service", True, look.say("{name} at {where}", name=name, where=where))
    if not used:
        dead = ", ".join(f"{backend.address}:{backend.port}" for backend in port.backends) or "-"
        yield Step("backend", False, look.say("nobody answers; no backend is alive ({dead})", dead=dead))
        return
    who = ", ".join(f"{backend.address}:{backend.port}" for backend in used[:3])
    text = "tier {tier}: {who} ({count} of {all} alive)"
    about = {"tier": port.tier, "who": who, "count": len(alive), "all": len(port.backends)}
    yield Step("backend", True, look.say(text, **about))
    if port.tier is not None and port.tier not in ("node", "site"):
        yield from _by_hub(snapshot, look)


def _by_hub(snapshot: Snapshot, look: Look) -> Iterator[Step]:
    yield from _table(snapshot, "connections", look)
    if snapshot.hub is None:
        if snapshot.tunnels:
            up = [name for name, tunnel in snapshot.tunnels.items() if tunnel.up]
            text = look.say("none is chosen; up: {names}", names=", ".join(up) or "-")
            yield Step("hub", None if up else False, text)
        return
    yield Step("hub", True, snapshot.hub)
    yield _tunnel(snapshot, snapshot.hub, look)


def _tunnel(snapshot: Snapshot, name: str, look: Look) -> Step:
    tunnel = snapshot.tunnels.get(name)
    if tunnel is None:
        return Step("tunnel", None, look.say("{name} is not in the status", name=name))
    if not tunnel.up:
        reason = tunnel.reason or look.say("its probe is not answered")
        return Step("tunnel", False, look.say("{name} is down: {reason}", name=name, reason=reason))
    loss = look.say(", {share} lost", share=f"{tunnel.loss:.0%}") if tunnel.loss else ""
    text = look.say("{name} is up, its probe is back after {rtt}", name=name, rtt=milliseconds(tunnel.rtt))
    return Step("tunnel", True, text + loss)
