# SPDX-License-Identifier: Apache-2.0
"""Support: what to tell who is on the telephone, and what to send them. Pure."""

from collections.abc import Iterator

from appliance.status.model import Snapshot
from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Page, Row
from appliance.tui.pages.parts import clock, facts, rows, title
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Line, Span, line

_ACTIONS = (
    Action("b", "report", "report ", ask=True, changes=True),
    Action("k", "QR code", "code"),
    Action("s", "save data", "save ", ask=True),
)


def page(known: Known, width: int, look: Look) -> Page:
    """To read aloud: name, instance, plan, versions, codes; then where a report can be written to."""
    snapshot = known.snapshot
    if snapshot is None:
        return Page(empty=look.say("nothing is known of this device yet: there is nothing to tell"))
    codes = ", ".join(dict.fromkeys(found.code for found in known.conditions())) or look.say("none")
    lines: list[Line] = [
        line(look.say("Tell this to support, or show them the QR code:"), Tone.STRONG),
        EMPTY,
        *facts(look, [*_facts(snapshot, look), ("Codes", codes)], width),
    ]
    return Page(rows=(*rows(lines), *_targets(known, width, look)), actions=_ACTIONS)


def _targets(known: Known, width: int, look: Look) -> Iterator[Row]:
    """Enter on one asks whether to write the report there."""
    yield Row((EMPTY, title(look.say("Write a report (1 MB at most, without keys and tokens)"), width, look)))
    for place in known.places:
        where = (Span(look.say("USB stick or disk"), Tone.DIM), Span(f"  {place}"))
        yield Row((where,), key=place, command=f"report {place}/")
    here = (Span(look.say("a file of this device"), Tone.DIM), Span("  ./orillo-bugreport-..."))
    yield Row((here,), key="./", command="report ./")
    if not known.places:
        yield Row((line(look.say("no USB stick is mounted"), Tone.DIM),))


def _facts(snapshot: Snapshot, look: Look) -> Iterator[tuple[str, str]]:
    identity = snapshot.identity
    if identity is not None:
        yield "Device", f"{identity.name}.{identity.cluster}"
        yield "Instance", identity.instance
    else:
        yield "Device", look.say("not enrolled")
    utc = f"{snapshot.at:%Y-%m-%d %H:%M:%S}"
    yield "Time", look.say("{local} here, {utc} UTC", local=clock(snapshot), utc=utc)
    if snapshot.generation:
        number = look.say("generation {number}", number=snapshot.generation)
        yield "Plan", f"{number}, {snapshot.digest[:12]}"
    if snapshot.ipsec:
        yield "IPsec", ": ".join(part for part in (snapshot.ipsec, snapshot.ipsec_reason) if part)
    for name, version in sorted(snapshot.versions.items()):
        yield name.capitalize(), version
