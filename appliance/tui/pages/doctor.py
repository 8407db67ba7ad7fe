# SPDX-License-Identifier: Apache-2.0
"""Doctor: everything that is wrong, the cause first, each with what to do. Pure."""

from appliance.tui.look import Look, Tone
from appliance.tui.page import Action, Page
from appliance.tui.pages.parts import RESYNC, condition
from appliance.tui.state import Known
from appliance.tui.text import line

_EXAMINE = Action("x", "examine all", "examine", changes=True)


def page(known: Known, width: int, look: Look) -> Page:
    """One row a condition, in full."""
    if known.snapshot is None:
        return Page(empty=look.say("the daemon does not answer: `orillo doctor` in a shell works without it"))
    examined = known.examined
    said = look.say("By {count} checks, when asked last:", count=len(examined.checks)) if examined else ""
    head = (line(said, Tone.DIM),) if examined else ()
    made = tuple(condition(one, width, look, opens=True) for one in known.found())
    return Page(head, made, look.say("nothing is wrong: everything is as planned"), (_EXAMINE, RESYNC))
