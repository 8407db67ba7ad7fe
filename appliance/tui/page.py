# SPDX-License-Identifier: Apache-2.0
"""What a screen is: some fixed lines, rows to go through, and the actions that it offers. Pure."""

from dataclasses import dataclass
from enum import Enum

from appliance.tui.text import Line


class Name(Enum):
    """The screens in the order of their keys."""

    OVERVIEW = "Overview"
    TUNNELS = "Tunnels"
    PATH = "Path"
    SERVICES = "Services"
    DNS = "DNS"
    PLAN = "Plan"
    EVENTS = "Events"
    DOCTOR = "Doctor"
    ENROL = "Enrol"
    SUPPORT = "Support"
    HELP = "Help"
    DETAIL = "Detail"


#: The screens that have a digit: 1 to 9, then 0.
NUMBERED = tuple(Name)[:10]


@dataclass(frozen=True)
class Row:
    """One thing on a screen, in one or more lines. `key` names it; `problem` keeps it when only those are
    shown.

    `detail` is what Enter shows of it; a row without is read only.
    """

    lines: tuple[Line, ...]
    key: str = ""
    problem: bool = False
    detail: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Action:
    """A letter that does something on this screen: `command` is what one would type after `:`.

    With `ask` the letter opens the prompt with the command, for the rest to be typed. `changes` is for root
    only.
    """

    letter: str
    label: str
    command: str
    ask: bool = False
    changes: bool = False


@dataclass(frozen=True)
class Page:
    """One screen's content. `empty` is said when there is no row."""

    head: tuple[Line, ...] = ()
    rows: tuple[Row, ...] = ()
    empty: str = ""
    actions: tuple[Action, ...] = ()
