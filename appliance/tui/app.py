# SPDX-License-Identifier: Apache-2.0
"""The application: snapshots and keys in, the frame out. `state`, `keys` and `frame` decide."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.app import App, ComposeResult

from appliance.status.model import Snapshot
from appliance.status.watching import DoorError
from appliance.tui.commands import Ask, Effect, Quit, Repaint, Save
from appliance.tui.driver import TerminalDriver
from appliance.tui.face import Face
from appliance.tui.feed import Asker, Feed, recording
from appliance.tui.frame import frame, view
from appliance.tui.keys import paste, press
from appliance.tui.look import Look, Tone
from appliance.tui.state import Known, answered, heard, lost
from appliance.tui.text import Line
from appliance.tui.ui import Notice, Ui


@dataclass(frozen=True)
class Setting:
    """What one run of the terminal is made with. `first` is what was already heard."""

    look: Look
    feed: Feed
    asker: Asker
    root: bool = False
    first: Known = field(default_factory=Known)


class Terminal(App[int]):
    """One technician's terminal."""

    CSS: ClassVar[str] = "Screen { overflow: hidden; background: ansi_default; color: ansi_default; }"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar = []

    def __init__(self, setting: Setting) -> None:
        super().__init__(driver_class=TerminalDriver, ansi_color=True)
        TerminalDriver.plain = setting.look.plain
        self.animation_level = "none"
        self.known = setting.first
        self.ui = Ui(root=setting.root)
        self.failure: Exception | None = None
        self._setting = setting
        self._face = Face(setting.look, self._lines)
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def compose(self) -> ComposeResult:
        """The one widget."""
        yield self._face

    def on_mount(self) -> None:
        """Begin to listen."""
        self._face.focus()
        self._start(self._listen())
        self._start(self._show())

    async def on_unmount(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def on_key(self, event: events.Key) -> None:
        """A key."""
        event.stop()
        event.prevent_default()
        size = self._face.size
        seen = view(self.known, self.ui, self._setting.look, size.width, size.height)
        self.ui, effects = press(self.ui, seen, event.key, event.character)
        self._face.update()
        for effect in effects:
            self._do(effect)

    def on_paste(self, event: events.Paste) -> None:
        """Text between the terminal's paste marks."""
        event.stop()
        self.ui = paste(self.ui, event.text)
        self._face.update()

    async def action_quit(self) -> None:
        """Textual's own way to the end."""
        self.exit(0)

    def _handle_exception(self, error: Exception) -> None:
        """A fault of ours: give the terminal back and let the command say it in a line."""
        self.failure = self.failure or error
        self.exit(3)

    def _lines(self, width: int, height: int) -> list[Line]:
        return frame(self.known, self.ui, self._setting.look, width, height)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._handle_exception(error)

    async def _listen(self) -> None:
        async for word in self._setting.feed():
            self.known = heard(self.known, word) if isinstance(word, Snapshot) else lost(self.known, word)
            self._news.set()

    async def _show(self) -> None:
        """Show what came, at the line's pace."""
        while True:
            await self._news.wait()
            self._news.clear()
            self._face.update()
            await asyncio.sleep(self._setting.look.pause)

    def _do(self, effect: Effect) -> None:
        match effect:
            case Quit():
                self.exit(0)
            case Repaint():
                if isinstance(self._driver, TerminalDriver):
                    self._driver.forget()
                self.refresh(layout=True)
            case Ask():
                self._start(self._ask(effect))
            case Save(path):
                self._say(save(self.known, Path(path)))

    async def _ask(self, effect: Ask) -> None:
        try:
            answer = await self._setting.asker(effect.op, effect.fields)
            self.known = answered(self.known, effect.op, answer)
        except DoorError as error:
            self._say(Notice(str(error), Tone.BAD))
        else:
            self._say(Notice(effect.said, Tone.GOOD))

    def _say(self, notice: Notice) -> None:
        self.ui = replace(self.ui, notice=notice)
        self._face.update()


def save(known: Known, path: Path) -> Notice:
    """Write the newest snapshot to a file, never over one that is there."""
    if known.snapshot is None:
        return Notice("there is nothing to save yet", Tone.WARN)
    try:
        with path.open("xb") as file:
            file.write(recording(known.snapshot))
    except FileExistsError:
        return Notice(f"that file is there already, choose another name: {path}", Tone.BAD)
    except OSError as error:
        return Notice(f"not saved, {error.strerror}: {path}", Tone.BAD)
    return Notice(f"saved to {path}; look at it with `orillo tui --replay {path}`", Tone.GOOD)
