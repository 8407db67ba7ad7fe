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


@dataclass(frozen=True)
class Tally:
    """How a stream fared up to its last reply. `gap` is the longest time between two replies, in seconds.

    What was sent after the last reply is not in it: one request is always under way when a stream ends.
    """

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

    def wait_for_replies(self, count: int, seconds: float) -> None:
        """Wait until this many replies came in all."""
        until(lambda: len(self.replies()) >= count, f"{count} echo replies", seconds, 0.1)

    def stop(self) -> Tally:
        """End it and count."""
        self.process.stop(signal.SIGINT)
        replies = self.replies()
        times = sorted(replies.values())
        gap = max((later - sooner for sooner, later in pairwise(times)), default=0.0)
        return Tally(max(replies, default=0), len(replies), gap)

    def _newest(self) -> float:
        return max(self.replies().values(), default=0.0)


def stream(ns: str, target: Address, log: Path, interval: float = 0.1) -> Stream:
    """Start one; it does not wait for the first reply."""
    words = ("ping", "-n", "-D", "-i", f"{interval:g}", "-W", "1", str(target))
    return Stream(Process(words, log, ns=ns), interval)
