# SPDX-License-Identifier: Apache-2.0
"""A steady stream of echo requests, and what became of each."""

import re
import signal
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.lab.process import Process
from tests.lab.topology import Address
from tests.lab.wait import until

_REPLY = re.compile(r"^\[(?P<at>[\d.]+)\] \d+ bytes from .*icmp_seq=(?P<number>\d+)", re.MULTILINE)
_SUMMARY = re.compile(r"(\d+) packets transmitted, (\d+) received")


@dataclass(frozen=True)
class Tally:
    """How a stream fared. `gap` is the longest time between two replies, in seconds."""

    sent: int
    received: int
    gap: float

    @property
    def lost(self) -> int:
        return self.sent - self.received


@dataclass
class Stream:
    """Echo requests every `interval` seconds from a namespace, until stopped."""

    process: Process
    interval: float

    def replies(self) -> dict[int, float]:
        """When each reply came (Unix time), by sequence number."""
        return {int(m["number"]): float(m["at"]) for m in _REPLY.finditer(self.process.output())}

    def wait_for_reply(self, seconds: float) -> float:
        """Wait for a reply that comes from now on; returns how long that took, in seconds."""
        asked = time.time()
        until(lambda: self._newest() > asked, "an echo reply", seconds, pause=0.05)
        return self._newest() - asked

    def stop(self) -> Tally:
        """End it. Requests still unanswered count as lost."""
        self.process.stop(signal.SIGINT)
        found = _SUMMARY.search(self.process.output())
        times = sorted(self.replies().values())
        gap = max((later - sooner for sooner, later in pairwise(times)), default=0.0)
        return Tally(int(found[1]) if found else 0, int(found[2]) if found else 0, gap)

    def _newest(self) -> float:
        return max(self.replies().values(), default=0.0)


def stream(ns: str, target: Address, log: Path, interval: float = 0.1) -> Stream:
    """Start one; it does not wait for the first reply."""
    words = ("ping", "-n", "-D", "-i", f"{interval:g}", "-W", "1", str(target))
    return Stream(Process(words, log, ns=ns), interval)
