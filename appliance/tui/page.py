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
    PODS = "Pods"
    PLAN = "Plan"
    EVENTS = "Events"
    DOCTOR = "Doctor"
    ENROL = "Enrol"
    SUPPORT = "Support"
    LOGS = "Logs"
    CODE = "Code"
    HELP = "Help"
    DETAIL = "Detail"


#: The screens that have a key, in the order of a keyboard's upper row.
NUMBERED = tuple(Name)[:11]
KEYS = "1234567890-"


def key_of(name: Name) -> str:
    """The key of a screen."""
    return KEYS[NUMBERED.index(name)]


@dataclass(frozen=True)
class Row:
    """One thing on a screen, in one or more lines. `key` names it; `problem` keeps it when only those are
    shown.

    `detail` is what Enter shows of it, `command` what Enter does instead; a row without either is read only.
    """

    lines: tuple[Line, ...]
    key: str = ""
    problem: bool = False
    detail: tuple[Line, ...] = ()
    command: str = ""

    @property
    def opens(self) -> bool:
        """Whether Enter has anything to do here."""
        return bool(self.detail or self.command)


@dataclass(frozen=True)
class Action:
    """A letter that does something on this screen: `command` is what one would type after `:`.

    With `ask` the letter opens the prompt with the command, for the rest to be typed, or to be agreed to.
    `of_row`: it is for the chosen row, whose key is added. `changes` is for root only.
    """

    letter: str
    label: str
    command: str
    ask: bool = False
    changes: bool = False
    of_row: bool = False


@dataclass(frozen=True)
class Page:
    """One screen's content. `empty` is said when there is no row; `bare` has the whole terminal to itself.

    `follow`: it grows at its end, which is what one wants to see until one moves.
    """

    head: tuple[Line, ...] = ()
    rows: tuple[Row, ...] = ()
    empty: str = ""
    actions: tuple[Action, ...] = ()
    bare: bool = False
    follow: bool = False
