# SPDX-License-Identifier: Apache-2.0
"""What is said of a tunnel, by the doors that see it and by the pure code that decides.

Pure values. They stand below both, because neither may import the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from appliance.netcore.plan.values import Address

#: Names of the CHILD SAs, the same on both ends.
PROBE = "probe"
SITE = "site"

#: In these states a CHILD SA carries packets and is not about to be replaced or to go.
_CARRYING = frozenset({"INSTALLED", "UPDATING", "REKEYING"})
_ON_THE_WAY = frozenset({"CREATED", "INSTALLING", "RETRYING"})


class Health(StrEnum):
    """What the probes through a tunnel say of its data path."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Reach:
    """How a peer answers through its tunnel.

    `since` is the monotonic time of the last change of `health`. `rtt` is smoothed, in seconds, None before
    the first answer; `loss` is the smoothed share of lost probes, 0 to 1; `misses` are the probes lost in a
    row.
    """

    health: Health = Health.UNKNOWN
    since: float = 0.0
    rtt: float | None = None
    loss: float = 0.0
    misses: int = 0


@dataclass(frozen=True)
class ChildSa:
    """One CHILD SA as charon lists it; `age` is the seconds since it was installed."""

    name: str
    id: str
    state: str
    age: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    packets_in: int = 0
    packets_out: int = 0
    encap: bool = False

    @property
    def carries(self) -> bool:
        return self.state in _CARRYING

    @property
    def coming(self) -> bool:
        return self.state in _ON_THE_WAY


@dataclass(frozen=True)
class IkeSa:
    """One IKE SA as charon lists it; `name` is its connection, `age` the seconds since it was established."""

    name: str
    id: str
    state: str
    local: Address | None = None
    remote: Address | None = None
    age: int = 0
    children: tuple[ChildSa, ...] = ()

    @property
    def established(self) -> bool:
        return self.state in {"ESTABLISHED", "REKEYING"}

    def carrying(self, child: str) -> tuple[ChildSa, ...]:
        """Its CHILD SAs of that name that carry packets, newest first."""
        return newest_first([sa for sa in self.children if sa.name == child and sa.carries])


def newest_first(children: Sequence[ChildSa]) -> tuple[ChildSa, ...]:
    """By age; charon numbers its SAs upwards, which decides within one second."""
    return tuple(sorted(children, key=lambda sa: (sa.age, -int(sa.id))))
