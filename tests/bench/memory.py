# SPDX-License-Identifier: Apache-2.0
"""What a process costs while it idles, from proc(5): memory, processor time, wake-ups."""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """In KiB. Private dirty is what nothing else shares and no file backs."""

    rss: int
    private_dirty: int
    peak: int


@dataclass(frozen=True)
class Work:
    """Since the start of the process: processor time in nanoseconds, and how often it was put to sleep."""

    nanoseconds: int
    sleeps: int


def memory(pid: int) -> Memory:
    """Of one process."""
    rollup = _fields(Path(f"/proc/{pid}/smaps_rollup"))
    peak = _fields(Path(f"/proc/{pid}/status"))["VmHWM"]
    return Memory(rollup["Rss"], rollup["Private_Dirty"], peak)


def work(pid: int) -> Work:
    """Of one process; the sleeps of threads that ended are not known any more."""
    sleeps = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            sleeps += _fields(task / "status")["voluntary_ctxt_switches"]
    return Work(time.clock_gettime_ns(_clock_of(pid)), sleeps)


def _clock_of(pid: int) -> int:
    """The clock of another process's processor time, as clock_getcpuclockid(3) makes it."""
    return (~pid << 3) | 2


def _fields(path: Path) -> dict[str, int]:
    found = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        number = value.split()[:1]
        if number and number[0].isdigit():
            found[name] = int(number[0])
    return found
