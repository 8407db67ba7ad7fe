# SPDX-License-Identifier: Apache-2.0
"""A program on a pseudo-terminal, whose line may be as slow as a serial one."""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERIAL_RATE = 115200 // 10  # ten bits a byte: start, eight, stop
_END = 10.0


@dataclass
class Line:
    """The far end of the terminal. `pieces` are what came, each with the second since the start."""

    pid: int
    master: int
    rate: int | None = None
    began: float = field(default_factory=time.monotonic)
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    code: int | None = None

    @property
    def output(self) -> bytes:
        """All that came."""
        return b"".join(piece for _, piece in self.pieces)

    def read(self, wait: float = 0.05) -> bool:
        """Take what is there, at the line's rate; False when the other side has gone."""
        ready, _, _ = select.select([self.master], [], [], wait)
        if not ready:
            return True
        amount = 65536 if self.rate is None else 96
        try:
            piece = os.read(self.master, amount)
        except OSError:  # Linux says EIO once nobody has the terminal open any more.
            return False
        if self.rate is not None:
            # This is the line's own delay, not a wait for something to happen.
            time.sleep(len(piece) / self.rate)
        self.pieces.append((time.monotonic() - self.began, piece))
        return bool(piece)

    def until(self, condition: Callable[[bytes], bool], deadline: float = 20.0) -> None:
        """Read until the output so far fulfils the condition. Raises `TimeoutError` with the end of it."""
        end = time.monotonic() + deadline
        while not condition(self.output):
            if time.monotonic() > end or not self.read():
                raise TimeoutError(f"not within {deadline} s; the end of the output: {self.output[-2000:]!r}")

    def for_seconds(self, seconds: float) -> int:
        """Read for a while; how many bytes came."""
        before, end = len(self.output), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self.read(min(left, 0.1)):
                break
        return len(self.output) - before

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Another size, as if the window was pulled."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self) -> list[object]:
        """How the line is set (termios(3))."""
        return termios.tcgetattr(self.master)[:4]

    def wait(self) -> int:
        """Read to the end and return the exit code."""
        end = time.monotonic() + _END
        while self.code is None and time.monotonic() < end:
            reading = self.read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
                while reading and select.select([self.master], [], [], 0)[0]:
                    reading = self.read(0)
        if self.code is None:
            raise TimeoutError("the program does not end")
        return self.code


@contextmanager
def on_terminal(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    size: tuple[int, int] = (80, 24),
    rate: int | None = None,
) -> Iterator[Line]:
    """Run a program on a terminal of its own; whatever happens, it is gone afterwards."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    pid = os.fork()
    if pid == 0:
        _become(arguments, environment, master, slave)
    os.close(slave)
    line = Line(pid, master, rate)
    try:
        yield line
    finally:
        if line.code is None:
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
            os.waitpid(pid, 0)
        with suppress(OSError):
            os.close(master)


def _become(arguments: Sequence[str], environment: Mapping[str, str], master: int, slave: int) -> None:
    try:
        os.close(master)
        os.login_tty(slave)
        os.chdir(ROOT)
        os.execve(arguments[0], list(arguments), dict(environment))  # noqa: S606 -- a shell would be one more thing
    finally:
        os._exit(127)


def tui(*options: str, root: Path | None = None) -> tuple[str, ...]:
    """The command line of the terminal."""
    where = ("--root", str(root)) if root else ()
    return (sys.executable, "-m", "appliance.cli.main", *where, "tui", *options)


def environment(term: str = "xterm-256color", locale: str = "C.UTF-8") -> dict[str, str]:
    """What a login on such a terminal has."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {"TERM": term, "LANG": locale, "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1"}
