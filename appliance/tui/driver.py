# SPDX-License-Identifier: Apache-2.0
"""The terminal itself: raw mode, keys in, sequences out, and everything put back at the end.

Textual's own driver asks terminals about mice, pastes and keyboards in sequences that a VT100 or a serial
console prints as text, spins when its input ends, and stops without a word when its output does.
"""

import os
import re
import signal
import sys
import termios
import threading
from codecs import getincrementaldecoder
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from textual import events
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.driver import Driver
from textual.geometry import Size

#: Sequences of terminals since the VT220: second screen, paste marks.
_MODERN_START = "\x1b[?1049h\x1b[?2004h"
_MODERN_END = "\x1b[?2004l\x1b[?1049l"
#: Cleared, since a VT100 has no screen to come back to. Wrapping is off so that the last column never
#: scrolls.
_START = "\x1b[?25l\x1b[?7l\x1b[m\x1b[2J\x1b[H"
_END = "\x1b[m\x1b[?7h\x1b[?25h"
_PLAIN_END = "\x1b[2J\x1b[H"
#: Unstyled blanks to the end of a line (every row is painted to its end), which one short sequence clears
#: too.
_BLANKS = re.compile(r"((?<!m)|(?<=\x1b\[0m)) {4,}(?=\x1b\[\d+;\d+H|$)")
_ERASE = "\x1b[K"
#: A new line whose place is said next; and the mouse pointer's shape, which a VT100 would print.
_NEEDLESS = re.compile(r"\r?\n(?=\x1b\[\d+;\d+H)|\x1b\]22;[^\x07]*\x07")
_LAST_WORDS = 2.0
_ESCAPE = 0.12


class TerminalDriver(Driver):
    """Drives the terminal on standard input and output. `plain` is set by the application."""

    plain = False

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._in = sys.__stdin__.fileno() if sys.__stdin__ else 0
        self._out = sys.__stdout__.fileno() if sys.__stdout__ else 1
        self._before: list[Any] | None = None
        self._latest = ""
        self._words: SimpleQueue[str | None] = SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="terminal", daemon=True)
        self._parser = XTermParser()
        self._decode = getincrementaldecoder("utf-8")(errors="replace").decode

    def write(self, data: str) -> None:
        """Queue a piece of output; a slow line delays it and nothing else.

        What was just painted is not painted again: all is at absolute places, and Textual starts with the
        same picture three times.
        """
        if data and data != self._latest:
            self._latest = data
            self._words.put(thrifty(data))

    def forget(self) -> None:
        """The screen may have been written on by something else."""
        self._latest = ""
        self.write("\x1b[2J")

    def start_application_mode(self) -> None:
        """Take the terminal."""
        self._writer.start()
        with suppress(termios.error):
            self._before = termios.tcgetattr(self._in)
            termios.tcsetattr(self._in, termios.TCSANOW, _raw(self._before))
        self.write(("" if self.plain else _MODERN_START) + _START)
        for number, handler in (
            (signal.SIGWINCH, self._resized),
            (signal.SIGHUP, self._gone),
            (signal.SIGTERM, self._gone),
        ):
            self._loop.add_signal_handler(number, handler)
        self._loop.add_reader(self._in, self._readable)
        self._resized()

    def disable_input(self) -> None:
        """Take no more keys."""
        self._loop.remove_reader(self._in)
        for number in (signal.SIGWINCH, signal.SIGHUP, signal.SIGTERM):
            self._loop.remove_signal_handler(number)
        with suppress(termios.error):
            termios.tcflush(self._in, termios.TCIFLUSH)

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was."""
        self.disable_input()
        self.write(_END + (_PLAIN_END if self.plain else _MODERN_END))
        if self._before is not None:
            with suppress(termios.error):
                termios.tcsetattr(self._in, termios.TCSANOW, self._before)

    def close(self) -> None:
        """Wait for the last words, though not for ever: a stopped line (XOFF) takes none."""
        self._words.put(None)
        if self._writer.is_alive():
            self._writer.join(_LAST_WORDS)

    def _write_all(self) -> None:
        while (words := self._words.get()) is not None:
            data = words.encode("utf-8", "replace")
            try:
                while data:
                    data = data[os.write(self._out, data) :]
            except OSError:
                with suppress(RuntimeError):  # The loop may be over as well.
                    self._loop.call_soon_threadsafe(self._gone)
                return

    def _resized(self) -> None:
        size = Size(*terminal_size(self._out))
        self.process_message(events.Resize(size, size))

    def _gone(self) -> None:
        self._app.exit(0)

    def _readable(self) -> None:
        try:
            data = os.read(self._in, 4096)
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._in)
            self._gone()
            return
        for event in self._parser.feed(self._decode(data)):
            self.process_message(event)
        self._loop.call_later(_ESCAPE, self._tick)

    def _tick(self) -> None:
        """An escape character with nothing after it is the key."""
        for event in self._parser.tick():
            self.process_message(event)


def terminal_size(terminal: int) -> tuple[int, int]:
    """Columns and rows; a serial line knows none and is taken for 80 by 24."""
    try:
        columns, rows = os.get_terminal_size(terminal)
    except OSError:
        return 80, 24
    return columns or 80, rows or 24


def thrifty(data: str) -> str:
    """The same picture in fewer bytes: unstyled blanks up to the end of a line are erased instead."""
    return _BLANKS.sub(_ERASE, _NEEDLESS.sub("", data))


def _raw(attributes: list[Any]) -> list[Any]:
    made = list(attributes)
    made[0] &= ~(termios.IXON | termios.IXOFF | termios.ICRNL | termios.INLCR | termios.IGNCR)
    made[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
    made[6] = list(made[6])
    made[6][termios.VMIN] = 1
    made[6][termios.VTIME] = 0
    return made
