# SPDX-License-Identifier: Apache-2.0
"""A daemon in a namespace: started, watched and ended by its process id."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.command import LabError, inside
from tests.lab.wait import until

#: The tree that is under test; daemons import it whatever their working directory is.
SOURCE = Path(__file__).parents[2]
#: Whoever kills a process by its id leaves its exit status to be collected here.
_CHILDREN: list[subprocess.Popen[bytes]] = []
_TICKS = os.sysconf("SC_CLK_TCK")


def environment() -> dict[str, str]:
    """What every process of the lab gets: a plain PATH, a UTF-8 locale, and the tree under test."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": os.environ.get("HOME", "/root"),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(SOURCE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }


class Process:
    """One running program. Its output is appended to a log file; it survives this process unless ended."""

    def __init__(
        self, argv: Sequence[str], log: Path, ns: str | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.argv = tuple(argv)
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log_from = log.stat().st_size if log.exists() else 0
        with log.open("ab") as sink:
            # Its own session: a Ctrl-C at the terminal is for the lab, which then ends its daemons in order.
            self._child = subprocess.Popen(
                inside(ns, argv),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=dict(env or environment()),
                start_new_session=True,
            )
        _CHILDREN.append(self._child)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    @property
    def code(self) -> int | None:
        """Its exit status, once it has ended."""
        return self._child.poll()

    def output(self) -> str:
        """What this run of the program said so far."""
        with self.log.open("rb") as source:
            source.seek(self._log_from)
            return source.read().decode(errors="replace")

    def wait_for(self, text: str, seconds: float) -> None:
        """Wait until it says `text`; raises `TimedOutError` with its last words."""
        until(lambda: text in self.output() or not self.alive, text, seconds, 0.02, self._last_words)
        if text not in self.output():
            raise LabError(
                f"{self.argv[0]} ended with {self.code} before it said {text!r}: {self._last_words()}"
            )

    def kill(self) -> None:
        """End it as a crash would (SIGKILL) and see it gone."""
        self.stop(signal.SIGKILL)

    def stop(self, how: signal.Signals = signal.SIGTERM, seconds: float = 10.0) -> None:
        """Ask it to end; one that does not is killed."""
        if self.alive:
            self._child.send_signal(how)
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait(seconds)

    def _last_words(self) -> str:
        return " | ".join(self.output().strip().splitlines()[-3:])


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used, in user and kernel mode; see proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def is_running(pid: int) -> bool:
    """Whether a process id is in use by something that is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill_all(pids: Sequence[int], seconds: float = 10.0) -> None:
    """Kill these processes and wait until none is left."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + seconds
    while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]
