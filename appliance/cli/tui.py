# SPDX-License-Identifier: Apache-2.0
"""`orillo tui`: the technician's terminal. No other verb loads Textual, and this one late."""

import argparse
import asyncio
import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.errors import CliError, Exit
from appliance.netcore.errors import DoorError
from appliance.paths import Paths
from appliance.status import client
from appliance.status.speech import choose_language
from appliance.tui.feed import demo, live, live_asker, read_recording, recorded, recorded_asker
from appliance.tui.look import Colours, Look
from appliance.tui.page import Name
from appliance.tui.state import Known, heard
from appliance.tui.terminal import UnfitError, Wishes, choose, surroundings

if TYPE_CHECKING:
    from appliance.tui.app import Setting

_FIRST_ANSWER = 0.3


def run(paths: Paths, options: argparse.Namespace) -> int:
    """Show the screens until the person leaves them."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CliError("`orillo tui` needs a terminal: for a pipe there is `orillo status`", Exit.USAGE)
    look = _look(options)
    with ExitStack() as closing:
        setting = _setting(paths, options, look, closing)
        return _show(setting)


def _look(options: argparse.Namespace) -> Look:
    wishes = Wishes(
        ascii=options.ascii,
        colours=Colours(options.colours) if options.colours else None,
        frames=options.frames,
    )
    try:
        look = choose(surroundings(os.environ, sys.stdout.fileno()), wishes)
    except UnfitError as error:
        raise CliError(str(error), Exit.USAGE) from error
    # Never on the Linux console, whose fonts have no such signs; its look is ASCII.
    return look if look.ascii else replace(look, language=choose_language(os.environ))


def _setting(paths: Paths, options: argparse.Namespace, look: Look, closing: ExitStack) -> "Setting":
    _prepare(look)
    from appliance.tui.app import Setting

    nothing, root = Known(language=look.language), os.geteuid() == 0
    if options.demo or options.replay:
        made = demo() if options.demo else read_recording(options.replay)
        # Nothing can be changed in a recording, so anybody may see what only root may ask a daemon.
        return Setting(look, made.feed, made.ask, root=True, first=heard(nothing, made.snapshots[0]))
    feed, asker = live(paths.status_socket), live_asker(paths.status_socket)
    if options.record:
        file = closing.enter_context(options.record.open("ab"))
        feed, asker = recorded(feed, file), recorded_asker(asker, file)
    first = _first(paths.status_socket, nothing)
    page = Name.ENROL if options.enrol else Name.OVERVIEW
    return Setting(look, feed, asker, root=root, first=first, everything=bool(options.record), page=page)


def _first(path: Path, nothing: Known) -> Known:
    """What the daemon says at once, so that the first paint is of use; a slow one is not waited for."""
    try:
        return heard(nothing, client.status(path, timeout=_FIRST_ANSWER))
    except DoorError:
        return nothing


def _prepare(look: Look) -> None:
    """Textual reads these once, when it is imported."""
    systems = {Colours.MANY: "256", Colours.FULL: "truecolor"}
    os.environ |= {
        "TEXTUAL_FPS": str(look.frames),
        "TEXTUAL_ANIMATIONS": "none",
        "TEXTUAL_COLOR_SYSTEM": systems.get(look.colours, "standard"),
    }
    # Ours are the colours, also none of them: Textual would turn all to greys instead.
    os.environ.pop("NO_COLOR", None)


def _show(setting: "Setting") -> int:
    from appliance.tui.app import Terminal

    app = Terminal(setting)
    code = asyncio.run(app.run_async(mouse=False))
    if app.failure is not None:
        raise app.failure
    return code if code is not None else Exit.OK
