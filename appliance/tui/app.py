# SPDX-License-Identifier: Apache-2.0
"""The application: snapshots, answers and keys in, the frame out. `state`, `keys` and `frame` decide."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.app import App, ComposeResult

from appliance.status.model import Snapshot
from appliance.status.views import Packed, read
from appliance.status.watching import DoorError
from appliance.tui.commands import Ask, Effect, Quit, Repaint, Report, Save
from appliance.tui.driver import TerminalDriver
from appliance.tui.face import Face
from appliance.tui.feed import Asker, Feed
from appliance.tui.files import save, write_report
from appliance.tui.frame import frame, view
from appliance.tui.keys import paste, press
from appliance.tui.look import Look, Tone
from appliance.tui.outcomes import outcome, progress
from appliance.tui.page import Name
from appliance.tui.places import places
from appliance.tui.state import Known, answered, asked, heard, lost, part_of, partly, refused
from appliance.tui.text import Line
from appliance.tui.topics import ALL, PLACES, Topic, due, fields, topics
from appliance.tui.ui import Notice, Ui

#: How often it is looked whether a screen's topics are due, in seconds.
_TICK = 0.5


@dataclass(frozen=True)
class Setting:
    """What one run of the terminal is made with. `first` is what was already heard.

    `everything`: all topics are asked for, whichever screen is shown, so that a recording has them. `page` is
    where it begins.
    """

    look: Look
    feed: Feed
    asker: Asker
    root: bool = False
    first: Known = field(default_factory=Known)
    everything: bool = False
    page: Name = Name.OVERVIEW
    places: Callable[[], tuple[str, ...]] = places


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
        self.ui = Ui(page=setting.page, root=setting.root)
        self.failure: Exception | None = None
        self._setting = setting
        self._face = Face(setting.look, self._lines)
        self._news = asyncio.Event()
        self._moved = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._asked: dict[str, float] = {}
        self._looking: set[str] = set()

    def compose(self) -> ComposeResult:
        """The one widget."""
        yield self._face

    def on_mount(self) -> None:
        """Begin to listen."""
        self._face.focus()
        self._start(self._listen())
        self._start(self._show())
        self._start(self._keep_asking())

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
        before = self.ui.page
        self.ui, effects = press(self.ui, seen, event.key, event.character)
        if Name.CODE in (before, self.ui.page) and before is not self.ui.page:
            # It had the whole terminal: nothing of it may stay.
            effects = (*effects, Repaint())
        self._face.update()
        self._moved.set()
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

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

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

    async def _keep_asking(self) -> None:
        """Ask for what the present screen is made of beside the snapshot."""
        while True:
            for topic in ALL if self._setting.everything else topics(self.ui):
                asked_at = self._asked.get(topic.op)
                if topic.op not in self._looking and due(topic, self.known, asked_at, time.monotonic()):
                    self._looking.add(topic.op)
                    self._start(self._look(topic))
            self._moved.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._moved.wait()

    async def _look(self, topic: Topic) -> None:
        first = topic.op not in self._asked
        self._asked[topic.op] = time.monotonic()
        if topic.op == PLACES:
            self.known = replace(self.known, places=self._setting.places())
        else:
            try:
                async for answer in self._setting.asker(topic.op, fields(topic, self.known)):
                    self.known = answered(self.known, topic.op, answer)
            except DoorError as error:
                self.known = refused(self.known, topic.op, str(error))
        self._looking.discard(topic.op)
        # What one has just come to see is shown at once, what is only renewed at the line's pace.
        self._face.update() if first else self._news.set()

    def _do(self, effect: Effect) -> None:
        match effect:
            case Quit():
                self.exit(0)
            case Repaint():
                if isinstance(self._driver, TerminalDriver):
                    self._driver.forget()
                self.refresh(layout=True)
            case Ask():
                self._replace(effect.op, self._ask(effect))
            case Report(path):
                self._replace("bugreport", self._report(path))
            case Save(path):
                self._say(save(self.known, Path(path)))

    def _replace(self, op: str, work: Coroutine[Any, Any, None]) -> None:
        """Asked once more, nobody waits for the first answer."""
        if (before := self._asking.get(op)) is not None:
            before.cancel()
        self._asking[op] = self._start(work)

    async def _ask(self, effect: Ask) -> None:
        self.known = asked(self.known, effect.op, effect.fields)
        count = 0
        try:
            async for answer in self._setting.asker(effect.op, effect.fields):
                if "part" in answer:
                    count += 1
                    part = part_of(answer)
                    self.known = partly(self.known, effect.op, part)
                    notice = progress(effect.op, part, count) or self.ui.notice
                else:
                    self.known = answered(self.known, effect.op, answer)
                    notice = outcome(self.known, effect.op, effect.fields, effect.said)
                self._say(notice)
        except DoorError as error:
            self.known = refused(self.known, effect.op, str(error))
            self._say(Notice(str(error), Tone.BAD))
        # What the screen is made of may be otherwise now.
        self._asked.clear()
        self._moved.set()

    async def _report(self, path: str) -> None:
        try:
            async for answer in self._setting.asker("bugreport", {}):
                packed = read(answer, Packed)
                self._say(await asyncio.to_thread(write_report, packed, path))
        except DoorError as error:
            self._say(Notice(str(error), Tone.BAD))

    def _say(self, notice: Notice | None) -> None:
        self.ui = replace(self.ui, notice=notice)
        self._face.update()
