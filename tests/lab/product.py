# SPDX-License-Identifier: Apache-2.0
"""How the programs under test are called: from the source tree, or as compiled binaries."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from tests.lab.command import Result, attempt
from tests.lab.process import environment


@dataclass(frozen=True)
class Product:
    """The two programs, each as the first words of a command."""

    appliance: tuple[str, ...] = (sys.executable, "-m", "appliance.cli.main")
    cloud: tuple[str, ...] = (sys.executable, "-m", "cloud.cli.main")


@dataclass(frozen=True)
class Installation:
    """One program on one host, with a root of its own below the lab's work directory."""

    program: tuple[str, ...]
    root: Path
    ns: str

    def command(self, *words: str) -> tuple[str, ...]:
        return (*self.program, "--root", str(self.root), *words)

    def at(self, root: Path) -> "Installation":
        """The same program on the same host with another root."""
        return replace(self, root=root)

    def call(self, *words: str, feed: str | None = None, timeout: float = 30.0) -> Result:
        """Run one verb to its end."""
        return attempt(*self.command(*words), ns=self.ns, feed=feed, timeout=timeout, env=environment())
