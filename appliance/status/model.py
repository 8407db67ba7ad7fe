# SPDX-License-Identifier: Apache-2.0
"""The snapshot: all that the device says of itself to whoever stands in front of it.

It is JSON on the status socket and of `orillo status -o json`, and a stable contract: fields are added, never
changed. Times are UTC, durations in seconds, sizes in bytes.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from appliance.netcore.health.condition import Condition, Event, Severity
from appliance.netcore.plan.exchange import PhaseCount
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.values import Path, Role, Tier

__all__ = [
    "Backend",
    "Child",
    "Condition",
    "Control",
    "Event",
    "Path",
    "Repairs",
    "ServicePort",
    "Severity",
    "Snapshot",
    "State",
    "Tunnel",
]


class State(StrEnum):
    """How far the device has come."""

    UNENROLLED = "unenrolled"
    NO_PLAN = "no-plan"
    RUNNING = "running"


class Control(msgspec.Struct, frozen=True):
    """The way to the control endpoint.

    `since` is when `connected` last changed. `error` is why it is not connected. `offered` is the newest
    generation that came (0: none since the start), and `refused` why it is not used, if it is not.
    """

    url: str = ""
    connected: bool = False
    since: datetime | None = None
    error: str = ""
    refused: str = ""
    offered: int = 0


class Child(msgspec.Struct, frozen=True):
    """One CHILD SA of a tunnel; `age` is since it was installed."""

    name: str
    state: str
    age: float
    bytes_in: int = 0
    bytes_out: int = 0
    packets_in: int = 0
    packets_out: int = 0


class Tunnel(msgspec.Struct, frozen=True):
    """One tunnel. `up` and `loss` (0 to 1) are by the probe through it; `established` is its IKE SA's age.

    `path` is the class of the way: lan, direct, hub or underlay. `local` and `remote` are its outer ends.
    """

    up: bool
    chosen: bool = False
    rtt: float | None = None
    loss: float | None = None
    established: float | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    reason: str = ""
    path: Path | None = None
    local: str = ""
    remote: str = ""
    children: tuple[Child, ...] = ()


class Backend(msgspec.Struct, frozen=True):
    """One backend of a service port. `used`: new connections may go there now."""

    address: str
    port: int
    tier: Tier
    node: str = ""
    alive: bool = True
    used: bool = False


class ServicePort(msgspec.Struct, frozen=True):
    """One port of a service. `tier` is the one that answers now; None if nobody does."""

    addresses: tuple[str, ...]
    protocol: str
    port: int
    tier: Tier | None = None
    backends: tuple[Backend, ...] = ()


class Repairs(msgspec.Struct, frozen=True):
    """What others undid in one table and a pass put back.

    `count` is since the agent's start, `recent` of the last five minutes, `at` when last, `what` came of it.
    """

    count: int
    at: datetime
    recent: int = 0
    what: tuple[str, ...] = ()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the device.

    `tunnels` are by peer, `tables` by table, `services` by `name:port name`, `versions` by program.
    `conditions` are what is wrong, gravest first; `events` what came and went of them, oldest first.
    `applied` is the generation that the tables were last wholly made to be, and `applied_at` when; it lags
    behind `generation` while some object waits or failed. `on_trial`: it may still be undone. `drift`
    is what others undid, by table.
    """

    at: datetime
    state: State
    identity: Identity | None = None
    role: Role | None = None
    generation: int = 0
    digest: str = ""
    plan_issued_at: datetime | None = None
    applied: int = 0
    applied_at: datetime | None = None
    on_trial: bool = False
    control: Control = Control()
    ipsec: str = ""
    ipsec_reason: str = ""
    hub: str | None = None
    tunnels: dict[str, Tunnel] = {}
    tables: dict[str, PhaseCount] = {}
    services: dict[str, ServicePort] = {}
    conditions: tuple[Condition, ...] = ()
    events: tuple[Event, ...] = ()
    versions: dict[str, str] = {}
    drift: dict[str, Repairs] = {}
