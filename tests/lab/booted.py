# SPDX-License-Identifier: Apache-2.0
"""A Debian 12 that boots with a real systemd, in a namespace of the lab: systemd-nspawn(1) over a root."""

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from tests.lab.clean_root import DAEMONS
from tests.lab.command import LabError, Result, attempt, run
from tests.lab.process import Process, environment
from tests.lab.wait import until

_SUITE = "bookworm"
_SYSTEM = ("systemd", "systemd-sysv", "dbus", "udev", "apparmor", "iptables", "iputils-ping", "procps")
#: `degraded` is for units of Debian's that a namespace can't run.
_UP = ("running", "degraded")


def make_system(cache: Path, extra: tuple[str, ...] = ()) -> Path:
    """A Debian with systemd, all that the appliance drives, and these packages; made once."""
    root = cache / "-".join(("debian12-systemd", *extra))
    if not (root / "complete").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        include = f"--include={','.join((*_SYSTEM, *DAEMONS, *extra))}"
        made = attempt(
            "mmdebstrap", "--variant=minbase", "--mode=root", include, _SUITE, str(root), timeout=900
        )
        if not made.ok:
            raise LabError(f"mmdebstrap could not make {root}: {made.text[-500:]}")
        (root / "complete").touch()
    return root


class Booted:
    """One running system; what it changes is in `place`, over the root that others share."""

    def __init__(self, system: Path, place: Path, ns: str) -> None:
        self.root = place / "root"
        self._place = place
        self._ns = ns
        for name in ("root", "changed", "work"):
            (place / name).mkdir(parents=True)
        layers = f"lowerdir={system},upperdir={place / 'changed'},workdir={place / 'work'}"
        run("mount", "-t", "overlay", "overlay", "-o", layers, str(self.root))
        self._process: Process | None = None
        self._leader = 0

    def boot(self, seconds: float = 120) -> None:
        """Switch it on, and wait until systemd has started what it wants to."""
        words = (
            "--quiet",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--console=pipe",
            f"--machine={self._ns}",
        )
        where = (f"--directory={self.root}", f"--network-namespace-path=/run/netns/{self._ns}")
        # Of a network that it was not given by itself it is no master, unless told so.
        rights = ("--capability=CAP_NET_ADMIN,CAP_NET_RAW",)
        env = {**environment(), "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}
        command = ("systemd-nspawn", *words, *where, *rights)
        self._process = Process(command, self._place / "console.log", env=env)
        until(self._is_up, "the system is up", seconds, 0.5, self._process.output)

    def cut(self) -> None:
        """Take its power away."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._leader, signal.SIGKILL)
            self._process.kill()

    def remove(self) -> None:
        """Take its power away, and what it changed."""
        self.cut()
        attempt("umount", str(self.root))

    def call(self, *words: str, timeout: float = 60.0) -> Result:
        """Run a program in it to its end."""
        return attempt("nsenter", "-t", str(self._leader), "--all", *words, timeout=timeout)

    def must(self, *words: str, timeout: float = 60.0) -> str:
        """The same, for what has to succeed."""
        result = self.call(*words, timeout=timeout)
        if not result.ok:
            raise LabError(f"`{' '.join(words)}` ended with {result.code}: {result.text}")
        return result.out

    def active(self, unit: str) -> bool:
        return self.call("systemctl", "is-active", unit).out.strip() == "active"

    def main_pid(self, unit: str) -> str:
        """As its own processes are numbered."""
        return self.must("systemctl", "show", "--property=MainPID", "--value", unit).strip()

    def _is_up(self) -> bool:
        process = self._process
        if process is None or not process.alive:
            raise LabError(f"systemd-nspawn ended: {process.output() if process else ''}")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        self._leader = int(children[0]) if children else 0
        said = self.call("systemctl", "is-system-running").out.strip() if self._leader else ""
        return said in _UP
