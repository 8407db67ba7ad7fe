# SPDX-License-Identifier: Apache-2.0
"""Events: what changed while this terminal was open, newest first. Pure."""

from appliance.tui.look import Look, Tone
from appliance.tui.page import Page, Row
from appliance.tui.state import Known
from appliance.tui.text import Span

_GRAVE = (Tone.WARN, Tone.BAD)


def page(known: Known, _width: int, _look: Look) -> Page:
    """One row an event; it follows by itself, since the newest is on top."""
    rows = tuple(
        Row(
            ((Span(f"{one.at.astimezone():%H:%M:%S}  ", Tone.DIM), Span(one.text, one.tone)),),
            problem=one.tone in _GRAVE,
        )
        for one in reversed(known.happened)
    )
    return Page(rows=rows, empty="nothing has changed since this screen was opened")
