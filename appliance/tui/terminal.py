# SPDX-License-Identifier: Apache-2.0
"""Which terminal stands there, and what it can do. Chosen from the environment and the line; options win."""

import os
import re
import termios
from collections.abc import Mapping
from dataclasses import dataclass, replace

from appliance.tui.look import ASCII, UNICODE, Colours, Look, Signs

#: Terminals that know VT100 sequences, and no colours.
_MONOCHROME = ("vt", "dec-vt")
#: Terminals whose fonts or links can't be trusted with more than ASCII.
_ASCII_ONLY = ("vt", "dec-vt", "linux", "ansi", "cons25", "pcansi")
#: Terminals without a second screen to come back from.
_ONE_SCREEN = ("vt", "dec-vt", "linux", "ansi", "cons25", "pcansi")
#: Drivers name their lines each in its own way (ttyS0, ttyAMA0, ttymxc1, ttyPS0), and none as the screens
#: of the Linux console (tty1) or of windows (pts/0) are named.
_SERIAL = re.compile(r"/dev/(tty[A-Za-z]+\d+|hvc\d+|hvsi\d+|console)")
#: Baud rates by their termios names; what is above the last counts as fast.
_SLOW = 115200
#: Paints a second at most, there.
_SLOW_FRAMES = 4
_BAUD = {getattr(termios, f"B{rate}"): rate for rate in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)}


class UnfitError(Exception):
    """This terminal can't show screens; the text says what can be done."""


@dataclass(frozen=True)
class Surroundings:
    """What is known of the line: its device, its speed in baud (None: not serial), the environment."""

    term: str = ""
    locale: str = ""
    colorterm: str = ""
    no_color: bool = False
    device: str = ""
    baud: int | None = None


@dataclass(frozen=True)
class Wishes:
    """What was asked for on the command line; None leaves it to us."""

    ascii: bool | None = None
    colours: Colours | None = None
    frames: int | None = None


def choose(around: Surroundings, wishes: Wishes = Wishes()) -> Look:
    """The look for this terminal. Raises `UnfitError`."""
    term = around.term
    if term in ("", "dumb", "unknown"):
        which = term or "(TERM is not set)"
        raise UnfitError(
            f"the terminal {which} can't place text: use `orillo status`, or say what it is (TERM=vt100)"
        )
    # What says that it is a VT100 is one, or a line that somebody set up as for one, behind who knows what.
    slow = _is_serial(around.device) or (around.baud or _SLOW + 1) <= _SLOW or term.startswith(_ONE_SCREEN)
    look = Look(
        colours=_colours(around),
        signs=_signs(around),
        frames=_SLOW_FRAMES if slow else 10,
        pause=2.0 if slow else 1.0,
        plain=slow,
    )
    if wishes.ascii is not None:
        look = replace(look, signs=ASCII if wishes.ascii else UNICODE)
    if wishes.colours is not None:
        look = replace(look, colours=wishes.colours)
    if wishes.frames is not None:
        look = replace(look, frames=wishes.frames)
    return look


def surroundings(environment: Mapping[str, str], terminal: int) -> Surroundings:
    """Look at the environment and at the terminal on a file descriptor."""
    try:
        device = os.ttyname(terminal)
    except OSError:
        device = ""
    return Surroundings(
        term=environment.get("TERM", ""),
        # POSIX: the first that is set and not empty counts.
        locale=next((v for n in ("LC_ALL", "LC_CTYPE", "LANG") if (v := environment.get(n))), ""),
        colorterm=environment.get("COLORTERM", ""),
        no_color=bool(environment.get("NO_COLOR")),
        device=device,
        baud=_baud(terminal) if _is_serial(device) else None,
    )


def _is_serial(device: str) -> bool:
    return _SERIAL.fullmatch(device) is not None


def _baud(terminal: int) -> int | None:
    try:
        speed = termios.tcgetattr(terminal)[5]
    except termios.error:
        return None
    return _BAUD.get(speed)


def _colours(around: Surroundings) -> Colours:
    if around.no_color or around.term.startswith(_MONOCHROME):
        return Colours.NONE
    if around.term == "linux":
        return Colours.SIXTEEN
    if around.colorterm in ("truecolor", "24bit") or around.term.endswith("-direct"):
        return Colours.FULL
    return Colours.MANY if around.term.endswith("-256color") else Colours.SIXTEEN


def _signs(around: Surroundings) -> Signs:
    if around.term.startswith(_ASCII_ONLY):
        return ASCII
    return UNICODE if around.locale.lower().replace("-", "").endswith("utf8") else ASCII
