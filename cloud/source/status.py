# SPDX-License-Identifier: Apache-2.0
"""What the operator says in the status of Device, Community and Cluster objects, for `kubectl get`."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from appliance.netcore.plan.values import Role


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """A part of a status, whose fields are called as Kubernetes calls them."""


class Condition(_Part, frozen=True):
    """`metav1.Condition`: one question about the object, and its answer at present."""

    type: Literal["Planned", "Applied", "TunnelUp", "Degraded", "Heard"]
    status: Literal["True", "False", "Unknown"]
    reason: str
    last_transition_time: datetime
    message: str = ""


class Generations(_Part, frozen=True):
    """The newest plan, the one that the device runs by, and how many lie between them."""

    desired: int = 0
    applied: int = 0
    lag: int = 0


class Tunnel(_Part, frozen=True):
    """One tunnel as the device's own probe sees it."""

    up: bool
    chosen: bool = False
    reason: str = ""


class DeviceStatus(_Part, frozen=True):
    """All of it. `tunnels` by the peer's name; `message` is the one sentence to read first."""

    state: Literal["not-enrolled", "enrolled", "revoked"] = "not-enrolled"
    role: Role | None = None
    site: str = ""
    instance: str = ""
    generation: Generations = Generations()
    last_seen: datetime | None = None
    agent: str = ""
    ipsec: str = ""
    tunnels: dict[str, Tunnel] = {}
    message: str = ""
    conditions: tuple[Condition, ...] = ()


class CommunityStatus(_Part, frozen=True):
    """How a Community stands: how many nodes are members, and of how many the tunnel is up."""

    members: int = 0
    up: int = 0
    opens: Literal["both-ways", "one-way"] = "both-ways"
    message: str = ""
    conditions: tuple[Condition, ...] = ()


class ClusterState(_Part, frozen=True):
    """How another cluster stands: what it said and since when, how much, and how many gateways are reached.

    `document` is all that it said, so that every operator of this cluster knows it, after a restart too.
    """

    seen: datetime | None = None
    document: dict[str, Any] | None = None
    heard: datetime | None = None
    gateways: int = 0
    services: int = 0
    tunnels: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()


def condition_of(conditions: tuple[Condition, ...], kind: str) -> Condition | None:
    """The condition of this type, if it is told."""
    return next((condition for condition in conditions if condition.type == kind), None)
