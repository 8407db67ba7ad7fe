# SPDX-License-Identifier: Apache-2.0
"""The QR code for support, with the whole terminal to itself, and beside it what it says. Pure."""

from appliance.tui.code import code
from appliance.tui.look import Look, Tone
from appliance.tui.page import Page
from appliance.tui.pages.parts import rows
from appliance.tui.state import Known
from appliance.tui.text import Line, Span, columns_of, line, wrap

_BESIDE = 24


def page(known: Known, width: int, height: int, look: Look) -> Page:
    """As much as fits; Esc goes back."""
    snapshot = known.snapshot
    if snapshot is None:
        return Page(empty=look.say("nothing is known of this device yet: there is nothing to tell"))
    codes = list(dict.fromkeys(found.code for found in known.conditions()))
    text, drawn = code(snapshot, codes, width, height, look)
    if not drawn:
        about = look.say("a QR code needs a larger terminal: 46 columns and 23 rows")
        return Page(rows=rows(line(part) for part in wrap(about, width)), bare=True)
    taken = sum(columns_of(span.text) for span in drawn[0])
    beside = _beside(text, codes, width - taken - 2, look)
    made = [_joined(one, beside[index : index + 1]) for index, one in enumerate(drawn)]
    return Page(rows=rows(made), bare=True)


def _beside(text: str, codes: list[str], room: int, look: Look) -> list[Line]:
    """For people: what it holds, and how to leave."""
    if room < _BESIDE:
        return []
    parts: list[Line] = [line(look.say("This code says:"), Tone.DIM)]
    parts += [line(part) for part in wrap(text, room)]
    parts += [(), line(look.say("All fault codes:"), Tone.DIM)]
    parts += [line(part) for one in codes or [look.say("none")] for part in wrap(one, room)]
    return [*parts, (), line(look.say("Esc goes back"), Tone.STRONG)]


def _joined(drawn: Line, beside: list[Line]) -> Line:
    return (*drawn, Span("  "), *beside[0]) if beside else drawn
