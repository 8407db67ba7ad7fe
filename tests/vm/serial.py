# SPDX-License-Identifier: Apache-2.0
"""A machine's serial line, with somebody who reads and types at it."""

import base64
import re
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

from tests.lab.command import LabError, Result
from tests.lab.wait import until

_ESCAPES = re.compile(rb"\x1b(\[[0-9;?]*[a-zA-Z]|[()][AB0]|[=>78])")
#: A terminal's line discipline takes no longer line than this (termios(3), N_TTY).
_LONGEST_LINE = 4000


#: Seconds in which what was typed has an effect, if it has one.
_TYPED = 30.0


class Serial:
    """The line behind a UNIX socket of QEMU. All that came is in `log` too."""

    def __init__(self, path: Path, log: Path) -> None:
        self._path, self._log = path, log
        self._heard = b""
        self._taken = 0
        self._news = threading.Condition()
        self._line: socket.socket | None = None
        self._reader: threading.Thread | None = None
        self._number = 0

    def open(self) -> None:
        """Connect; QEMU makes the socket."""
        until(self._path.exists, f"{self._path} is there", 20)
        self._heard, self._taken = b"", 0
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._line.connect(str(self._path))
        self._reader = threading.Thread(target=self._read, args=(self._line,), daemon=True)
        self._reader.start()

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._reader is not None:
            self._reader.join(10)

    def text(self) -> str:
        """All that came since `open`, without what only moves the cursor."""
        return _ESCAPES.sub(b"", self._heard).decode(errors="replace")

    def expect(self, pattern: str, seconds: float) -> str:
        """Wait until something that matches comes, after what was expected last; returns it."""
        wanted = re.compile(pattern.encode())
        deadline = time.monotonic() + seconds
        with self._news:
            while True:
                plain = _ESCAPES.sub(b"", self._heard)
                found = wanted.search(plain, self._taken)
                if found:
                    self._taken = found.end()
                    return found[0].decode(errors="replace")
                left = deadline - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    last = plain[-600:].decode(errors="replace")
                    raise LabError(
                        f"no {pattern!r} on the serial line within {seconds:g} s; last came: {last}"
                    )

    def send(self, text: str) -> None:
        if self._line is None:
            raise LabError("the serial line is closed")
        self._line.sendall(text.encode())

    def log_in(self, password: str, seconds: float) -> None:
        """From the terminal, the line that stands for it, or a login prompt, to a shell of root."""
        deadline = time.monotonic() + seconds
        while (found := self.expect("l to log in|Orillo|login:", deadline - time.monotonic())) != "login:":
            self.send("q" if found == "Orillo" else "l")
            # What is typed before somebody reads it is lost, and a console may start anew meanwhile.
            with suppress(LabError):
                self.expect("login:", _TYPED)
                break
        self.give(password, seconds, prompted=True)

    def give(self, password: str, seconds: float, *, prompted: bool = False) -> None:
        """Log in as root at the prompt that comes, or is there already."""
        if not prompted:
            self.expect("login:", seconds)
        self.send("root\r")
        self.expect("assword:", seconds)
        self.send(f"{password}\r")
        self.expect(r"root@\S*[#:]", seconds)
        # No echo and no prompt, so that only answers come; no history, for passwords and tokens.
        self.send("stty -echo; PS1=; PS2=; unset HISTFILE; echo SHELL-$((1+1))\r")
        self.expect("SHELL-2", seconds)

    def call(self, script: str, seconds: float) -> Result:
        """Run a shell script at the prompt of `log_in`."""
        self._number += 1
        mark = f"=={self._number}=="
        packed = base64.b64encode(script.encode()).decode()
        pieces = [packed[at : at + _LONGEST_LINE // 2] for at in range(0, len(packed), _LONGEST_LINE // 2)]
        self.send(": >/run/said\r")
        for piece in pieces:
            self.send(f"printf %s '{piece}' >>/run/said\r")
        run = "(base64 -d /run/said | sh) >/run/out 2>/run/err; code=$?"
        tell = f"echo; echo '{mark}'$code $(base64 -w0 /run/out). $(base64 -w0 /run/err).'{mark}'"
        self.send(f"{run}; {tell}\r")
        said = self.expect(rf"{mark}\d+ [^ ]*\. [^ ]*\.{mark}", seconds)
        code, out, err = said.removeprefix(mark).removesuffix(mark).split(" ")
        return Result(("sh",), int(code), _unpacked(out), _unpacked(err))

    def _read(self, line: socket.socket) -> None:
        with self._log.open("ab") as log:
            while True:
                try:
                    data = line.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                log.write(data)
                log.flush()
                with self._news:
                    self._heard += data
                    self._news.notify_all()


def _unpacked(word: str) -> str:
    return base64.b64decode(word.removesuffix(".")).decode(errors="replace")
