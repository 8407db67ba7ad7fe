# SPDX-License-Identifier: Apache-2.0
"""A device in the lab: agent, charon and unbound in its namespace, started as systemd would start them."""

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.lab.command import LabError, Result, attempt
from tests.lab.process import Process, cpu_seconds, environment
from tests.lab.product import Installation
from tests.lab.wait import until


class Daemon(StrEnum):
    """The three services of an appliance."""

    AGENT = "agent"
    CHARON = "charon"
    DNS = "dns"


#: In the order in which they are started; none of them waits for another.
_VERBS = {Daemon.CHARON: ("daemon", "charon"), Daemon.DNS: ("daemon", "dns"), Daemon.AGENT: ("run",)}


@dataclass
class Device:
    """One device and its running daemons."""

    name: str
    installation: Installation
    logs: Path
    daemons: dict[Daemon, Process] = field(default_factory=dict)

    @property
    def ns(self) -> str:
        return self.installation.ns

    @property
    def root(self) -> Path:
        return self.installation.root

    @property
    def state(self) -> Path:
        """What survives a reboot."""
        return self.root / "var/lib/orillo"

    @property
    def run_directory(self) -> Path:
        """What does not."""
        return self.root / "run/orillo"

    @property
    def conflist(self) -> Path:
        return self.root / "etc/cni/net.d/10-orillo.conflist"

    def call(self, *words: str, feed: str | None = None, timeout: float = 30.0) -> Result:
        return self.installation.call(*words, feed=feed, timeout=timeout)

    def enroll(self, token: str) -> None:
        """Enrol with a token, given on standard input so that no process list shows it."""
        result = self.call("enroll", "-", feed=token + "\n")
        if not result.ok:
            raise LabError(f"{self.name} could not enrol ({result.code}): {result.text}")

    def start(self, *which: Daemon, env: Mapping[str, str] = MappingProxyType({})) -> None:
        """Start these daemons, or all of them, each at once; `env` is added to their environment."""
        for daemon in which or tuple(_VERBS):
            command = self.installation.command(*_VERBS[daemon])
            log = self.logs / f"{daemon}.log"
            self.daemons[daemon] = Process(command, log, ns=self.ns, env={**environment(), **env})

    def kill(self, *which: Daemon) -> None:
        """`kill -9` these daemons, or all of them."""
        for daemon in which or tuple(self.daemons):
            self.daemons[daemon].kill()

    def stop(self, *which: Daemon) -> None:
        """End these daemons, or all of them, the agent first, as a shutdown does."""
        for daemon in which or tuple(reversed(self.daemons)):
            self.daemons[daemon].stop()

    def alive(self, daemon: Daemon) -> bool:
        return daemon in self.daemons and self.daemons[daemon].alive

    def cpu(self) -> dict[Daemon, float]:
        """The processor seconds of each daemon so far."""
        return {name: cpu_seconds(process.pid) for name, process in self.daemons.items() if process.alive}

    def status(self) -> dict[str, Any]:
        """What `orillo status -o json` says; empty while the agent does not answer."""
        result = self.call("status", "-o", "json")
        try:
            answer = json.loads(result.out)
        except ValueError:
            return {}
        return answer if isinstance(answer, dict) else {}

    def wait_for_conflist(self, seconds: float) -> None:
        """Wait until it has written what the container runtime reads."""
        until(self.conflist.exists, f"{self.name} writes its conflist", seconds, explain=self.ended)

    def ended(self) -> str:
        """Which of its daemons ended in failure by themselves, with their last words; empty if none did."""
        dead = [(name, p) for name, p in self.daemons.items() if p.code not in (None, 0, -signal.SIGKILL)]
        return "; ".join(
            f"{self.name} {name} ended with {p.code}: {p.output().strip()[-200:]}" for name, p in dead
        )

    def security_associations(self) -> str:
        """charon's own list of its SAs, as swanctl(8) prints it."""
        socket = self.run_directory / "charon.vici"
        return attempt("swanctl", "--list-sas", "--uri", f"unix://{socket}", ns=self.ns).out
