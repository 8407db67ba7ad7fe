# SPDX-License-Identifier: Apache-2.0
"""Packets as they are on the wire: tcpdump into a file, and questions about it afterwards."""

import re
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.lab.command import LabError, run
from tests.lab.process import Process
from tests.lab.wait import until

#: Enough for the outer and inner headers of anything that the lab looks for.
_SNAP = 128
#: KiB; a busy machine must not cost us a packet, for a lost one is one that we did not look at.
_BUFFER = 16384


@dataclass
class Capture:
    """A running or ended capture. `dropped` are packets that the kernel could not hand over in time."""

    process: Process
    file: Path
    dropped: int = 0

    def stop(self) -> None:
        """End it and read how much it missed."""
        self.process.stop(signal.SIGINT)
        found = re.search(r"(\d+) packets? dropped by kernel", self.process.output())
        if not found:
            raise LabError(f"tcpdump did not end well: {self.process.output().strip()[-300:]}")
        self.dropped = int(found.group(1))

    def wait_for(self, count: int, seconds: float) -> None:
        """Wait until this many packets were captured since its start."""
        until(lambda: self.count() >= count, f"{count} packets in {self.file.name}", seconds, 0.3)

    def lines(self, expression: str = "", most: int = 0) -> list[str]:
        """The packets that match a pcap-filter(7) expression, a line each; all of them, or the first few."""
        limit = ("-c", str(most)) if most else ()
        words = ("tcpdump", "-nn", "-tt", *limit, "-r", str(self.file))
        return run(*words, *((expression,) if expression else ()), timeout=60).splitlines()

    def count(self, expression: str = "") -> int:
        """How many packets match."""
        return len(self.lines(expression))


def start(ns: str, interface: str, file: Path, expression: str = "") -> Capture:
    """Capture on an interface (`any` for all of them), and return when it sees packets."""
    file.parent.mkdir(parents=True, exist_ok=True)
    shape = ("-i", interface, "-s", str(_SNAP), "-B", str(_BUFFER), "-U", "--immediate-mode", "-Z", "root")
    words = ("tcpdump", "-nn", *shape, "-w", str(file), *((expression,) if expression else ()))
    process = Process(words, file.with_suffix(".log"), ns=ns)
    process.wait_for("listening on", 10)
    return Capture(process, file)
