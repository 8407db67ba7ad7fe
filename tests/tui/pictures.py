# SPDX-License-Identifier: Apache-2.0
"""`./dev pictures`: the screens as text and one as an SVG, from the recording that comes with the program.

The text files are what the tests hold the screens to; after a wanted change, run this and look at the diff.
"""

import asyncio
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from appliance.tui.app import Setting, Terminal
from appliance.tui.feed import Recording, demo
from appliance.tui.frame import frame
from appliance.tui.look import UNICODE, Colours, Look
from appliance.tui.page import NUMBERED, Name
from appliance.tui.state import Known, answered, heard
from appliance.tui.text import plain
from appliance.tui.ui import Ui

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
#: The second hub has just gone too: the fault, its cause and what to do are all known.
_FAULT = 18
_SERIAL = Look()
_WINDOW = Look(colours=Colours.FULL, signs=UNICODE, plain=False)
_LARGE = (Name.OVERVIEW, Name.TUNNELS, Name.PLAN, Name.CODE)
_TARGET = "self shop2"
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> int:
    """Write all of them."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (PICTURES / name).write_text(text)
    (PICTURES / "tui.svg").write_text(asyncio.run(_svg()))
    print(f"wrote {', '.join(sorted(path.name for path in PICTURES.iterdir()))} to {PICTURES}")
    return 0


def texts() -> dict[str, str]:
    """The text files by name: every screen of a serial line, and some of a large window."""
    return {
        "tui-80x24.txt": "".join(_screens(_SERIAL, 80, 24, (*NUMBERED, Name.LOGS, Name.HELP))),
        "tui-120x40.txt": "".join(
            _screens(_WINDOW, 120, 40, (Name.OVERVIEW, Name.TUNNELS, Name.PLAN, Name.CODE))
        ),
    }


def overview() -> str:
    """The first screen on a serial line, as the README has it."""
    return _screen(_known(), Name.OVERVIEW, _SERIAL, 80, 24)


def _screens(look: Look, width: int, height: int, names: tuple[Name, ...]) -> Iterator[str]:
    known = _known()
    for name in names:
        yield f"{'=' * 20} {name.value}\n{_screen(known, name, look, width, height)}"


def _screen(known: Known, name: Name, look: Look, width: int, height: int) -> str:
    lines = frame(known, Ui(root=True, page=name, target=_TARGET), look, width, height)
    return "".join(plain(line).rstrip() + "\n" for line in lines)


def _known() -> Known:
    """All that was said until then, and whatever the screens had asked for."""
    recording = _recording()
    known = Known()
    for count, snapshot in enumerate(recording.snapshots, start=1):
        known = heard(known, snapshot)
        for _, said in (one for one in recording.said if one[0] == count):
            if said.op != "why" or said.fields.get("b") == "shop2":
                known = answered(known, said.op, said.answer)
    return replace(known, places=("/media/usb0",))


def _recording() -> Recording:
    whole = demo()
    said = tuple(one for one in whole.said if one[0] <= _FAULT)
    return Recording(whole.snapshots[:_FAULT], said)


async def _svg() -> str:
    app = Terminal(Setting(_WINDOW, Recording(()).feed, Recording(()).ask, root=True, first=_known()))
    async with app.run_test(size=(100, 26)) as pilot:
        await pilot.pause()
        # Without its fonts, which it would fetch from elsewhere: whoever shows it has one of fixed width.
        return _FONTS.sub("", app.export_screenshot(title="orillo tui", simplify=True))


if __name__ == "__main__":
    sys.exit(main())
