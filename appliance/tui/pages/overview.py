# SPDX-License-Identifier: Apache-2.0
"""Overview: is all well, and if not, what is wrong and what to do. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from appliance.status.model import Snapshot, State
from appliance.status.views import Uplink
from appliance.status.words import duration
from appliance.tui.look import Look, Tone
from appliance.tui.page import Name, Page, Row, key_of
from appliance.tui.pages.parts import (
    RESYNC,
    before,
    best_path,
    condition,
    counts,
    fact,
    happening,
    heads,
    milliseconds,
    title,
)
from appliance.tui.pages.tunnels import tunnel_rows
from appliance.tui.state import Known
from appliance.tui.text import Line, Span, table

_TUNNELS = 4
_LINKS = 4
_UPLINKS = ("LINK", "STATE", "GATEWAY", "ADDRESSES")


def page(known: Known, width: int, look: Look) -> Page:
    """Conditions first, then the facts in the order in which things depend on each other."""
    snapshot = known.snapshot
    if snapshot is None:
        return Page(
            empty=look.say("nothing is known of this device yet; it is asked again every few seconds")
        )
    made = [condition(found, width, look) for found in known.conditions()]
    heading = title(look.say("This device"), width, look)
    made += [Row((part,)) for part in (heading, *_facts(snapshot, look))]
    made += _links(known, width, look)
    made += _ways(known, width, look)
    recent = known.happened[-6:][::-1]
    if recent:
        text = look.say("What happened last ({key} has all)", key=key_of(Name.EVENTS))
        made.append(Row((title(text, width, look),)))
        made += [Row((happening(one, look),)) for one in recent]
    return Page(rows=tuple(made), actions=(RESYNC,))


def _links(known: Known, width: int, look: Look) -> list[Row]:
    """The host's ports; the ones that lead out come first from the daemon."""
    if known.uplinks is None or not known.uplinks.links:
        return []
    links = known.uplinks.links[:_LINKS]
    head, lines = table(heads(look, _UPLINKS), [_link(link, look) for link in links], width)
    made = [Row((title(look.say("Uplinks"), width, look), head))]
    return made + [
        Row((one,), problem=not (link.up and link.carrier)) for link, one in zip(links, lines, strict=True)
    ]


def _link(link: Uplink, look: Look) -> list[Span]:
    if not link.up:
        state = Span(look.say("OFF"), Tone.BAD)
    elif not link.carrier:
        state = Span(look.say("NO CARRIER"), Tone.BAD)
    else:
        state = Span(look.say("carrier"), Tone.GOOD)
    gateways = ", ".join(one if one != "-" else look.say("direct") for one in link.gateways)
    addresses = ", ".join(link.addresses)
    return [
        Span(link.name),
        state,
        Span(gateways or "-"),
        Span(addresses or look.say("no address"), Tone.PLAIN if addresses else Tone.WARN),
    ]


def _ways(known: Known, width: int, look: Look) -> list[Row]:
    """The tunnels that carry traffic or are down come first; the rest has its own screen."""
    head, made = tunnel_rows(known, width, look)
    if not made:
        return []
    by_need = sorted(made, key=lambda row: not row.problem)[:_TUNNELS]
    left = len(made) - len(by_need)
    name = look.say("Tunnels")
    name += look.say(" ({count} more: {key})", count=left, key=key_of(Name.TUNNELS)) if left else ""
    return [Row((title(name, width, look), head)), *(replace(row, detail=()) for row in by_need)]


def _facts(snapshot: Snapshot, look: Look) -> Iterator[Line]:
    yield _identity(snapshot, look)
    if snapshot.state is State.UNENROLLED:
        return
    yield _plan(snapshot, look)
    yield _control(snapshot, look)
    yield _tunnels(snapshot, look)
    yield _services(snapshot, look)
    yield _tables(snapshot, look)


def _identity(snapshot: Snapshot, look: Look) -> Line:
    if snapshot.identity is None:
        return fact(look, "Enrolled", look.say("no: press {key}", key=key_of(Name.ENROL)), Tone.WARN)
    role = f", {look.say(str(snapshot.role))}" if snapshot.role else ""
    return fact(look, "Name", f"{snapshot.identity.name}.{snapshot.identity.cluster}{role}")


def _plan(snapshot: Snapshot, look: Look) -> Line:
    if snapshot.state is State.NO_PLAN:
        return fact(look, "Plan", look.say("none yet"), Tone.WARN)
    time = before(look, snapshot)
    text = look.say("generation {number}, issued {time}", number=snapshot.generation, time=time)
    behind = lag(snapshot, look)
    return fact(look, "Plan", f"{text}; {behind}" if behind else text, Tone.WARN if behind else Tone.PLAIN)


def lag(snapshot: Snapshot, look: Look) -> str:
    """How far this device is behind what the control endpoint offers; empty if it is not."""
    offered = snapshot.control.offered
    if offered > snapshot.generation:
        return look.say("{number} is offered and not in force", number=offered)
    if snapshot.control.refused:
        return look.say("a newer one is refused: {key}", key=key_of(Name.PLAN))
    if snapshot.on_trial:
        return look.say("on trial")
    if snapshot.applied and snapshot.applied < snapshot.generation:
        return look.say("still applying, {number} was applied", number=snapshot.applied)
    return ""


def _control(snapshot: Snapshot, look: Look) -> Line:
    control = snapshot.control
    if control.connected:
        time = f"{control.since.astimezone():%H:%M}" if control.since else "?"
        return fact(look, "Control", look.say("connected since {time}, {url}", time=time, url=control.url))
    url = control.url or look.say("no address")
    return fact(look, "Control", look.say("not connected, {url}", url=url), Tone.WARN)


def _tunnels(snapshot: Snapshot, look: Look) -> Line:
    ways = snapshot.tunnels
    if not ways:
        return fact(look, "Tunnels", look.say("none in the plan"))
    up = sum(tunnel.up for tunnel in ways.values())
    best = best_path(snapshot)
    way = look.say(", by {hub} ({rtt})", hub=best[0], rtt=milliseconds(best[1].rtt)) if best else ""
    ipsec = f", {snapshot.ipsec}" if snapshot.ipsec else ""
    tone = Tone.GOOD if up == len(ways) else Tone.WARN if up else Tone.BAD
    return fact(look, "Tunnels", look.say("{up} of {all} up", up=up, all=len(ways)) + way + ipsec, tone)


def _services(snapshot: Snapshot, look: Look) -> Line:
    services = snapshot.services
    if not services:
        return fact(look, "Services", look.say("none in the plan"))
    answered = sum(port.tier is not None for port in services.values())
    tone = Tone.GOOD if answered == len(services) else Tone.BAD
    text = look.say("{count} of {all} ports answered", count=answered, all=len(services))
    return fact(look, "Services", text, tone)


def _tables(snapshot: Snapshot, look: Look) -> Line:
    open_ = [f"{name} ({text})" for name, text in counts(snapshot, look)]
    if open_:
        return fact(look, "Applied", look.say("not all: {what}", what=", ".join(open_)), Tone.WARN)
    objects = sum(count.applied for count in snapshot.tables.values())
    text = look.say("all {count} objects of {all} tables", count=objects, all=len(snapshot.tables))
    return fact(look, "Applied", text + took(snapshot, look), Tone.GOOD)


def took(snapshot: Snapshot, look: Look) -> str:
    """How long after it was issued the plan was applied, as far as that can be known."""
    issued, applied = snapshot.plan_issued_at, snapshot.applied_at
    if issued is None or applied is None or snapshot.applied != snapshot.generation or applied < issued:
        return ""
    return look.say(", applied {time} after it was issued", time=duration((applied - issued).total_seconds()))
