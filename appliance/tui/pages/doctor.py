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
        return Page(empty="the daemon does not answer: `orillo doctor` in a shell works without it")
    examined = known.examined
    head = (line(f"By {len(examined.checks)} checks, when asked last:", Tone.DIM),) if examined else ()
    rows = tuple(condition(one, width, look, opens=True) for one in known.found())
    return Page(head, rows, "nothing is wrong: everything is as planned", (_EXAMINE, RESYNC))
