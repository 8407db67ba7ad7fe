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
from pathlib import Path

from appliance.status.model import Snapshot
from appliance.tui.app import Setting, Terminal
from appliance.tui.feed import demo, replay, replay_asker
from appliance.tui.frame import frame
from appliance.tui.look import UNICODE, Colours, Look
from appliance.tui.page import NUMBERED, Name
from appliance.tui.state import Known, heard
from appliance.tui.text import plain
from appliance.tui.ui import Ui

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
#: The second hub has just gone too: the fault, its cause and what to do are all known.
_FAULT = 12
_SERIAL = Look()
_WINDOW = Look(colours=Colours.FULL, signs=UNICODE, plain=False)
_TARGET = "web:80"
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
        "tui-80x24.txt": "".join(_screens(_SERIAL, 80, 24, (*NUMBERED, Name.HELP))),
        "tui-120x40.txt": "".join(_screens(_WINDOW, 120, 40, (Name.OVERVIEW, Name.PLAN))),
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
    known = Known()
    for snapshot in _snapshots():
        known = heard(known, snapshot)
    return known


def _snapshots() -> tuple[Snapshot, ...]:
    return demo()[:_FAULT]


async def _svg() -> str:
    app = Terminal(Setting(_WINDOW, replay(()), replay_asker, root=True, first=_known()))
    async with app.run_test(size=(100, 26)) as pilot:
        await pilot.pause()
        # Without its fonts, which it would fetch from elsewhere: whoever shows it has one of fixed width.
        return _FONTS.sub("", app.export_screenshot(title="orillo tui", simplify=True))


if __name__ == "__main__":
    sys.exit(main())
