# SPDX-License-Identifier: Apache-2.0
"""Doctor: everything that is wrong, the cause first, each with what to do. Pure."""

from appliance.tui.look import Look
from appliance.tui.page import Page
from appliance.tui.pages.parts import RESYNC, condition
from appliance.tui.state import Known


def page(known: Known, width: int, look: Look) -> Page:
    """One row a condition, in full."""
    if known.snapshot is None:
        return Page(empty="the daemon does not answer: `orillo doctor` in a shell works without it")
    rows = tuple(condition(found, width, look, opens=True) for found in known.conditions())
    return Page(rows=rows, empty="nothing is wrong: everything is as planned", actions=(RESYNC,))
