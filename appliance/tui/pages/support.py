# SPDX-License-Identifier: Apache-2.0
"""Support: what to tell who is on the telephone, and a file to send them. Pure."""

from collections.abc import Iterator

from appliance.status.model import Snapshot
from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Page, Row
from appliance.tui.pages.parts import clock, facts
from appliance.tui.state import Known
from appliance.tui.text import EMPTY, Line, line

_SAVE = Action("s", "save all to a file", "save ", ask=True)


def page(known: Known, width: int, _look: Look) -> Page:
    """To read aloud: name, instance, plan, versions, codes."""
    snapshot = known.snapshot
    if snapshot is None:
        return Page(empty="nothing is known of this device yet: there is nothing to tell")
    codes = ", ".join(dict.fromkeys(found.code for found in known.conditions())) or "none"
    lines: list[Line] = [
        line("Tell this to support, or save it to a file (a USB stick: /media/...).", Tone.STRONG),
        EMPTY,
        *facts([*_facts(snapshot), ("Codes", codes)], width),
    ]
    return Page(rows=tuple(Row((one,)) for one in lines), actions=(_SAVE,))


def _facts(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    identity = snapshot.identity
    if identity is not None:
        yield "Device", f"{identity.name} in {identity.cluster}"
        yield "Instance", identity.instance
    else:
        yield "Device", "not enrolled"
    yield "Time", f"{clock(snapshot)} here, {snapshot.at:%Y-%m-%d %H:%M:%S} UTC"
    if snapshot.generation:
        yield "Plan", f"generation {snapshot.generation}, {snapshot.digest[:12]}"
    if snapshot.ipsec:
        yield "IPsec", ": ".join(part for part in (snapshot.ipsec, snapshot.ipsec_reason) if part)
    for name, version in sorted(snapshot.versions.items()):
        yield name.capitalize(), version
