# SPDX-License-Identifier: Apache-2.0
"""Help: the keys. Pure."""

from appliance.tui.look import Tone
from appliance.tui.page import Page, Row
from appliance.tui.text import Span, wrap

_LABEL = 12

_KEYS = (
    ("1 to 9, 0", "the screens, as named below; F1 to F10 do the same, Tab goes on to the next"),
    ("up, down", "move; j and k, Page Up and Page Down, Home and End too"),
    ("Enter", "all about the chosen row; Esc goes back"),
    ("/", "show only rows that contain a text; Esc ends it"),
    ("!", "show only what is wrong; again: all"),
    ("letters", "the actions in the line above the screens' names"),
    (":", "a command: overview, tunnels, ..., path TO, save FILE, resync, enrol TOKEN, quit"),
    ("Ctrl-L", "paint everything again"),
    ("q", "quit; everything goes on without this screen"),
)


def page(width: int) -> Page:
    """One row a key."""
    return Page(rows=tuple(_row(key, text, width) for key, text in _KEYS))


def _row(key: str, text: str, width: int) -> Row:
    parts = enumerate(wrap(text, max(10, width - _LABEL)))
    return Row(
        tuple((Span(f"{'' if index else key:<{_LABEL}}", Tone.STRONG), Span(part)) for index, part in parts)
    )
