# SPDX-License-Identifier: Apache-2.0
"""The conditions of a link, and how a running relay is told of new ones.

On the relay's socket one line of JSON asks for conditions, and the line `ok` says that they hold for every
packet that arrives from then on.
"""

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab.command import LabError


@dataclass(frozen=True)
class Conditions:
    """How a link treats packets, the same in both directions.

    `delay` and `jitter` are in milliseconds each way (a packet is late by delay ± jitter, so packets may
    overtake each other), `loss` in percent, `rate` in Mbit/s with 0 for no limit, `queue` in packets; what
    does not fit into it is dropped. A cut link drops all, and neither end's interface notices.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    rate: float = 0.0
    cut: bool = False
    queue: int = 1000


PERFECT = Conditions()
CUT = Conditions(cut=True)


def encode(conditions: Conditions) -> bytes:
    """The line that asks a relay for these conditions."""
    return json.dumps(asdict(conditions)).encode() + b"\n"


def decode(line: bytes) -> Conditions:
    """Read such a line; raises `TypeError` or `ValueError` for one that is none."""
    return Conditions(**json.loads(line))


@dataclass(frozen=True)
class RelayedLink:
    """The handle of a link that runs through a relay."""

    control: Path

    def change(self, conditions: Conditions) -> None:
        """Give the link new conditions; they hold when this returns."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
            channel.settimeout(5.0)
            channel.connect(str(self.control))
            channel.sendall(encode(conditions))
            answer = channel.recv(16)
        if answer != b"ok\n":
            raise LabError(f"the relay at {self.control} refused {conditions}")

    def cut(self) -> None:
        self.change(CUT)

    def heal(self) -> None:
        self.change(PERFECT)
