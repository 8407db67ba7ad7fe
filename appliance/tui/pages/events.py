# SPDX-License-Identifier: Apache-2.0
"""Events: what changed, newest first. Pure."""

from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Page, Row
from appliance.tui.pages.parts import happening
from appliance.tui.state import Known

_GRAVE = (Tone.WARN, Tone.BAD)
_LOGS = Action("l", "log lines", "logs")


def page(known: Known, _width: int, look: Look) -> Page:
    """One row an event; it follows by itself, since the newest is on top."""
    made = tuple(Row((happening(one, look),), problem=one.tone in _GRAVE) for one in reversed(known.happened))
    return Page((), made, look.say("nothing has changed since this screen was opened"), (_LOGS,))
