# SPDX-License-Identifier: Apache-2.0
"""What the daemon looks up when somebody asks, and holds no longer than the answer takes: as values.

They are JSON on the status socket under the names of the operations (`server`): fields are added, never
changed. Times are UTC, durations in seconds, sizes in bytes.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from appliance.netcore.errors import DoorError
from appliance.netcore.plan.values import Path, Role, convert

T = TypeVar("T", bound=msgspec.Struct)


class Uplink(msgspec.Struct, frozen=True):
    """A port of the host towards others; `gateways` are its default routes, `-` for one without address."""

    name: str
    up: bool
    carrier: bool
    mtu: int = 0
    mac: str = ""
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()


class Uplinks(msgspec.Struct, frozen=True):
    """`uplinks`: those that lead out first."""

    links: tuple[Uplink, ...] = ()


class PeerWay(msgspec.Struct, frozen=True):
    """A peer of the plan and the way to it: `path` is its class, `via` whose tunnel carries the traffic."""

    name: str
    role: Role
    path: Path
    via: str = ""
    up: bool = False
    prefixes: tuple[str, ...] = ()


class Peers(msgspec.Struct, frozen=True):
    """`peers`: at most `shown` of `count`, by name."""

    peers: tuple[PeerWay, ...] = ()
    count: int = 0


class Waiting(msgspec.Struct, frozen=True):
    """A name that the cache is being asked for and has no answer to yet."""

    name: str
    kind: str
    seconds: float
    asked: str = ""


class NameServer(msgspec.Struct, frozen=True):
    """One that the cache asks: its zone, its round trip, and how many questions in a row it let lapse."""

    address: str
    zone: str = "."
    rtt: float | None = None
    lapsed: int = 0


class NameCache(msgspec.Struct, frozen=True):
    """`dns`: the cache since it started.

    `expired` were answered by what was too old because nobody above answered. `average` and `median` are of
    the answers that had to be asked for, None without any; `slow` is how many of them took above a second.
    """

    uptime: float = 0.0
    queries: int = 0
    hits: int = 0
    misses: int = 0
    prefetched: int = 0
    expired: int = 0
    failed: int = 0
    slow: int = 0
    average: float | None = None
    median: float | None = None
    waiting: tuple[Waiting, ...] = ()
    servers: tuple[NameServer, ...] = ()
    listens: tuple[str, ...] = ()
    domain: str = ""


class Source(StrEnum):
    """Where an answer came from."""

    PLAN = "plan"
    CACHE = "cache"
    EXPIRED = "expired"
    FORWARD = "forward"
    NOBODY = "nobody"


class Lookup(msgspec.Struct, frozen=True):
    """`lookup`: what the local cache said. `code` is the RCODE's name; `servers` are who would be asked."""

    name: str
    server: str
    source: Source
    code: str = ""
    addresses: tuple[str, ...] = ()
    seconds: float = 0.0
    servers: tuple[str, ...] = ()


class Pod(msgspec.Struct, frozen=True):
    """One attachment by the leases of host-local.

    `name` is what the container runtime called it, where it left word of that; `neighbour` how the kernel
    finds it (neighbour states of ip-neighbour(8), empty if unknown).
    """

    container: str
    interface: str = ""
    name: str = ""
    addresses: tuple[str, ...] = ()
    mac: str = ""
    neighbour: str = ""


class Range(msgspec.Struct, frozen=True):
    """A pod prefix: how many of its addresses can be given, and how many are."""

    prefix: str
    size: int
    used: int


class PodNetwork(msgspec.Struct, frozen=True):
    """`pods`: the pod network of this device. `conflist` is its state: `ok`, `missing`, `differs`, `none`.

    `others` are files that runtimes take before it. `links` are the ends of pods on the bridge.
    """

    conflist: str = "none"
    file: str = ""
    others: tuple[str, ...] = ()
    bridge: str = ""
    bridge_up: bool = False
    bridge_mtu: int = 0
    mtu: int = 0
    addresses: tuple[str, ...] = ()
    ranges: tuple[Range, ...] = ()
    links: int = 0
    pods: tuple[Pod, ...] = ()


class LogLine(msgspec.Struct, frozen=True):
    """One line of the daemon's log. `number` counts from its start."""

    number: int
    at: datetime
    level: str
    logger: str
    text: str


class Logs(msgspec.Struct, frozen=True):
    """`logs`: what the daemon still holds of its log; `run` is another after each of its starts."""

    run: str
    lines: tuple[LogLine, ...] = ()


class Slot(msgspec.Struct, frozen=True):
    """A plan on disk: which slot, and when it came."""

    name: str
    arrived: datetime | None = None


class Plans(msgspec.Struct, frozen=True):
    """`plan`: the plan in force and the one before it, as documents, and where they stand."""

    plan: dict[str, Any] | None = None
    before: dict[str, Any] | None = None
    slot: Slot | None = None
    slot_before: Slot | None = None


class Keys(msgspec.Struct, frozen=True):
    """`keys`: SHA-256 (hex) of public keys (SubjectPublicKeyInfo, DER): of the identity in use, and of the
    key that the next enrolment will ask a certificate for."""

    next: str
    current: str = ""


class Probed(msgspec.Struct, frozen=True):
    """`probe`: echoes through the tunnel. `rtts` are those that came back; `large` whether a full one did."""

    peer: str
    address: str
    sent: int
    rtts: tuple[float, ...] = ()
    size: int = 0
    large: bool = False


class Reinitiated(msgspec.Struct, frozen=True):
    """`reinitiate`: the tunnel was ended; whether it is back, after how long, or why not yet."""

    peer: str
    up: bool
    seconds: float = 0.0
    reason: str = ""


class Packed(msgspec.Struct, frozen=True):
    """`bugreport`: a gzipped tar, without keys and tokens."""

    name: str
    data: bytes = b""


def read(answer: Mapping[str, Any], kind: type[T]) -> T:
    """An answer as a value. Raises `DoorError`."""
    try:
        return convert(answer, kind)
    except msgspec.ValidationError as error:
        raise DoorError(f"the daemon's answer can't be read ({error}): is it another version?") from error
