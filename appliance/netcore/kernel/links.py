# SPDX-License-Identifier: Apache-2.0
"""What belongs to a running daemon: is it alive, and which TUN did it make.

The TUN's name is read and never assumed: with another charon on the host it is `ipsec1` (LAB: strongSwan).
"""

from pathlib import Path

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.files import read_text

_PROC = Path("/proc")


def running(pid_file: Path, program: str, proc: Path = _PROC) -> int | None:
    """The id of the process in `pid_file`, if it lives and is `program`. Raises `DoorError`.

    A pid file outlives a killed daemon, and its number may by now be somebody else's.
    """
    pid = (read_text(pid_file) or "").strip()
    if not pid.isdecimal():
        return None
    name = (read_text(proc / pid / "comm") or "").strip()
    # The kernel cuts names at 15 characters (proc(5), comm).
    return int(pid) if name == program[:15] and not _is_zombie(proc / pid) else None


def tun_of(pid_file: Path, program: str = "charon", proc: Path = _PROC) -> str | None:
    """The TUN that the daemon holds open; None while it runs not, or has none. Raises `DoorError`."""
    pid = running(pid_file, program, proc)
    if pid is None:
        return None
    try:
        descriptors = sorted((proc / str(pid) / "fdinfo").iterdir())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DoorError(f"can't look into {program} (process {pid}): {error.strerror}") from error
    return next((name for name in map(_interface, descriptors) if name), None)


def _interface(descriptor: Path) -> str | None:
    """The name in the `iff:` line, which only an attached TUN or TAP has."""
    for line in (read_text(descriptor) or "").splitlines():
        key, _, value = line.partition(":")
        if key == "iff":
            return value.strip() or None
    return None


def _is_zombie(process: Path) -> bool:
    # "pid (name) state ..."; the name may hold anything, so what counts comes after the last bracket.
    return (read_text(process / "stat") or "").rpartition(")")[2].split()[:1] == ["Z"]
