# SPDX-License-Identifier: Apache-2.0
"""Help: the keys. Pure."""

from appliance.tui.look import Look, Tone
from appliance.tui.page import Page, Row
from appliance.tui.text import Span, pad, wrap

_LABEL = 14

_KEYS = (
    ("1 to 9, 0, -", "the screens, as named below; F1 to F11 do the same, Tab goes on to the next"),
    ("up, down", "move; j and k, Page Up and Page Down, Home and End too"),
    ("Enter", "all about the chosen row; Esc goes back"),
    ("/", "show only rows that contain a text; Esc ends it"),
    ("!", "show only what is wrong; again: all"),
    ("letters", "the actions in the line above the screens' names"),
    (":", "a command: overview, tunnels, ..., why A B [PORT], lookup NAME, probe PEER, reinitiate PEER, "
     "logs, save FILE, report FILE, resync, enrol TOKEN, quit"),
    ("Ctrl-L", "paint everything again"),
    ("q", "quit; everything goes on without this screen"),
)  # fmt: skip


def page(width: int, look: Look) -> Page:
    """One row a key."""
    return Page(rows=tuple(_row(key, look.say(text), width, look) for key, text in _KEYS))


def _row(key: str, text: str, width: int, look: Look) -> Row:
    parts = enumerate(wrap(text, max(10, width - _LABEL)))
    label = look.say(key)
    return Row(
        tuple((Span(pad("" if index else label, _LABEL), Tone.STRONG), Span(part)) for index, part in parts)
    )
