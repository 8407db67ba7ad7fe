# SPDX-License-Identifier: Apache-2.0
"""Our charon and our unbound as processes: found by their pid files, known by more than a number."""

import os
from contextlib import suppress
from pathlib import Path

from appliance.netcore.plan.model import Plan
from appliance.paths import Paths
from appliance.sync.identity import load_identity
from appliance.sync.imported import load_imported
from appliance.sync.store import PlanStore

#: charon's pid file as charon sees it; the path is compiled in.
_CHARON_SEES = "run/charon.pid"


def plan_on_disk(paths: Paths) -> Plan | None:
    """The verified plan, of the cluster or imported; None if there is none yet. Raises as `load_identity`."""
    owner = load_identity(paths) or load_imported(paths)
    if owner is None:
        return None
    held = PlanStore(paths.plans, owner.plan_keys, owner.identity).load().held
    return held.plan if held else None


def charon(paths: Paths) -> int | None:
    """The pid of our charon, if it is alive.

    A pid file may be older than the last boot, and its number another process's by now: ours is the one that
    sees this very file at the path compiled into it.
    """
    pid = _pid_in(paths.charon_pid)
    if pid is None or _name(pid) != "charon":
        return None
    with suppress(OSError):
        if Path(f"/proc/{pid}/root/{_CHARON_SEES}").samefile(paths.charon_pid):
            return pid
    return None


def unbound(paths: Paths) -> int | None:
    """The pid of our unbound, if it is alive: with our configuration, or still waiting for it."""
    pid = _pid_in(paths.unbound_pid)
    if pid is None or pid == os.getpid():
        return None
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if os.fsencode(paths.unbound_conf) in words or words[-3:-1] == [b"daemon", b"dns"]:
            return pid
    return None


def _pid_in(path: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(path.read_text().strip())
    return None


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""
