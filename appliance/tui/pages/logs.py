# SPDX-License-Identifier: Apache-2.0
"""Logs: the daemon's own log as it is written, newest first. Pure."""

from appliance.status.views import LogLine
from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Page, Row
from appliance.tui.pages.parts import facts, told
from appliance.tui.state import Known
from appliance.tui.text import Line, Span, wrap

_TONES = {"warning": Tone.WARN, "error": Tone.BAD, "critical": Tone.BAD}
_EVENTS = Action("e", "events", "events")
_LEAD = 17


def page(known: Known, width: int, look: Look) -> Page:
    """One row a line of it. It follows while one is at the top; `/` and `!` choose."""
    lines = known.journal.lines
    made = tuple(_row(one, width, look) for one in reversed(lines))
    return Page((), made, "" if lines else told(look, known, "logs"), (_EVENTS,))


def _row(one: LogLine, width: int, look: Look) -> Row:
    text = f"{one.logger}: {one.text}"
    first, *rest = [*wrap(text, max(10, width - _LEAD)), ""]
    tone = _TONES.get(one.level, Tone.PLAIN)
    head: Line = (
        Span(f"{one.at.astimezone():%H:%M:%S} ", Tone.DIM),
        Span(f"{one.level[:7]:<8}", tone),
        Span(first),
    )
    below = [(Span(" " * _LEAD + part),) for part in rest if part]
    detail = facts(
        look,
        (
            ("time", f"{one.at.astimezone():%Y-%m-%d %H:%M:%S}"),
            ("level", one.level),
            ("part", one.logger),
            ("text", one.text),
        ),
        width,
    )
    key = f"{one.number}"
    return Row((head, *below), key=key, problem=one.level in _TONES, detail=detail)
