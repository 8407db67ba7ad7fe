# SPDX-License-Identifier: Apache-2.0
"""The host, read only: its disk, its memory, and who else runs in its network."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.files import read_text

_PROC = Path("/proc")
_TUN = Path("/dev/net/tun")


@dataclass(frozen=True)
class Disk:
    """The file system below a path; `free` is in bytes, for root."""

    free: int
    files_free: int
    read_only: bool


@dataclass(frozen=True)
class Memory:
    """In bytes, from /proc/meminfo (proc(5))."""

    total: int
    available: int


@dataclass(frozen=True)
class Program:
    """A process in this network namespace."""

    pid: int
    name: str


def disk(path: Path) -> Disk:
    """The disk that holds `path`, or the nearest directory above that is there. Raises `DoorError`."""
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        stat = os.statvfs(path)
    except OSError as error:
        raise DoorError(f"can't look at the disk of {path}: {error.strerror}") from error
    # Some file systems count no files and give 0 of 0.
    files = stat.f_ffree if stat.f_files else 1 << 30
    return Disk(stat.f_bfree * stat.f_frsize, files, bool(stat.f_flag & os.ST_RDONLY))


def memory(proc: Path = _PROC) -> Memory:
    """How much there is and how much can be had without swapping. Raises `DoorError`."""
    fields = dict(_fields(read_text(proc / "meminfo") or ""))
    return Memory(fields.get("MemTotal", 0), fields.get("MemAvailable", 0))


def _fields(text: str) -> Iterator[tuple[str, int]]:
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        value, *_ = rest.split() or ["0"]
        if value.isdigit():
            yield name, int(value) * 1024


def can_open_tun(path: Path = _TUN) -> str:
    """Why no TUN device can be had; empty if one can."""
    try:
        os.close(os.open(path, os.O_RDWR))
    except OSError as error:
        return f"{path}: {error.strerror}"
    return "" if path.is_char_device() else f"{path} is no device"


def programs(proc: Path = _PROC) -> tuple[Program, ...]:
    """The processes that share our network namespace, kernel threads left out."""
    ours = _namespace(proc / "self")
    found = [
        Program(int(entry.name), (read_text(entry / "comm") or "").strip())
        for entry in proc.iterdir()
        if entry.name.isdigit() and _namespace(entry) == ours
    ]
    return tuple(sorted((one for one in found if one.name), key=lambda one: one.pid))


def _namespace(process: Path) -> str:
    try:
        return str((process / "ns/net").readlink())
    except OSError:
        return ""


def udp_holders(port: int, proc: Path = _PROC) -> tuple[Program, ...]:
    """The processes that have a UDP socket bound to `port`; one without a name if it can't be told whose."""
    inodes = set(_udp_inodes(port, proc))
    if not inodes:
        return ()
    wanted = {f"socket:[{inode}]" for inode in inodes}
    holders = tuple(program for program in programs(proc) if wanted & set(_descriptors(proc, program.pid)))
    return holders or (Program(0, ""),)


def _udp_inodes(port: int, proc: Path) -> Iterator[str]:
    for name in ("udp", "udp6"):
        for line in (read_text(proc / "net" / name) or "").splitlines()[1:]:
            words = line.split()
            if len(words) > 9 and int(words[1].rpartition(":")[2], 16) == port:
                yield words[9]


def _descriptors(proc: Path, pid: int) -> Iterator[str]:
    try:
        entries = list((proc / str(pid) / "fd").iterdir())
    except OSError:
        return
    for entry in entries:
        try:
            yield str(entry.readlink())
        except OSError:
            continue
