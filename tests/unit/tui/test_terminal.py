# SPDX-License-Identifier: Apache-2.0
"""The look is chosen from the terminal, and wishes win."""

import pytest

from appliance.tui.look import ASCII, UNICODE, Colours
from appliance.tui.terminal import Surroundings, UnfitError, Wishes, choose, surroundings


@pytest.mark.parametrize(
    ("around", "colours", "ascii_only", "plain"),
    [
        (Surroundings("vt100", "C.UTF-8"), Colours.NONE, True, True),
        (Surroundings("vt220", ""), Colours.NONE, True, True),
        (Surroundings("linux", "en_US.UTF-8"), Colours.SIXTEEN, True, True),
        (Surroundings("xterm", "C"), Colours.SIXTEEN, True, False),
        (Surroundings("xterm", "zh_CN.GB18030"), Colours.SIXTEEN, True, False),
        (Surroundings("xterm-256color", "en_US.utf8"), Colours.MANY, False, False),
        (Surroundings("xterm-256color", "C.UTF-8", "truecolor"), Colours.FULL, False, False),
        (Surroundings("xterm-256color", "C.UTF-8", "truecolor", no_color=True), Colours.NONE, False, False),
        (Surroundings("xterm", "C.UTF-8", device="/dev/ttyS0"), Colours.SIXTEEN, False, True),
    ],
)
def test_the_terminal_decides(around: Surroundings, colours: Colours, ascii_only: bool, plain: bool) -> None:
    look = choose(around)
    assert (look.colours, look.ascii, look.plain) == (colours, ascii_only, plain)


def test_a_serial_line_is_painted_rarely() -> None:
    serial = choose(Surroundings("vt220", "", device="/dev/ttyUSB0", baud=115200))
    window = choose(Surroundings("xterm", "C.UTF-8", device="/dev/pts/3"))
    assert (serial.frames, serial.pause) == (4, 2.0)
    assert serial.pause > window.pause
    assert window.frames > 4


@pytest.mark.parametrize(
    "around",
    [
        *(
            Surroundings("xterm-256color", "C.UTF-8", device=f"/dev/{name}")
            for name in ("ttyS0", "ttyAMA1", "ttyUSB0", "ttymxc0", "ttyPS0", "ttySAC2", "hvc0", "console")
        ),
        *(Surroundings(term, "C.UTF-8", device="/dev/pts/0") for term in ("vt100", "vt220", "linux", "ansi")),
        Surroundings("xterm", "C", device="/dev/ttyX0", baud=9600),
    ],
)
def test_every_slow_line_gets_four_frames_a_second_at_most(around: Surroundings) -> None:
    look = choose(around)
    assert (look.frames, look.plain) == (4, True)
    assert choose(around, Wishes(frames=20)).frames == 20


def test_wishes_win() -> None:
    wishes = Wishes(ascii=False, colours=Colours.FULL, frames=1)
    look = choose(Surroundings("vt100", "C"), wishes)
    assert (look.signs, look.colours, look.frames) == (UNICODE, Colours.FULL, 1)
    assert choose(Surroundings("xterm", "C.UTF-8"), Wishes(ascii=True)).signs is ASCII


@pytest.mark.parametrize("term", ["", "dumb", "unknown"])
def test_a_terminal_that_cannot_place_text_is_told_what_to_do(term: str) -> None:
    with pytest.raises(UnfitError, match="orillo status"):
        choose(Surroundings(term))


def test_the_first_locale_variable_counts() -> None:
    environment = {"TERM": "xterm", "LC_ALL": "", "LC_CTYPE": "C", "LANG": "en_US.UTF-8", "NO_COLOR": "1"}
    found = surroundings(environment, -1)
    assert (found.locale, found.no_color, found.device) == ("C", True, "")
