# SPDX-License-Identifier: Apache-2.0
"""What else travels between device and control endpoint: paths, trust, refusals, and the report.

Paths of enrolment are those of EST (RFC 7030, section 3.2.2).
"""

from datetime import datetime

import msgspec

from appliance.netcore.plan.identity import Identity

CA_CERTS_PATH = "/.well-known/est/cacerts"
ENROLL_PATH = "/.well-known/est/simpleenroll"
RENEW_PATH = "/.well-known/est/simplereenroll"
TRUST_PATH = "/v1/trust"
PLAN_PATH = "/v1/plan"
REPORT_PATH = "/v1/report"
#: Between two clusters' operators.
CLUSTER_PATH = "/v1/cluster"

#: `error` codes in the body of a refused request, `{"error": code, "message": sentence}`.
TOKEN_UNKNOWN = "token-unknown"  # noqa: S105 -- a code, no secret
TOKEN_USED = "token-used"  # noqa: S105
TOKEN_EXPIRED = "token-expired"  # noqa: S105
TOKEN_NAME = "token-name"  # noqa: S105
NAME_TAKEN = "name-taken"
REVOKED = "identity-revoked"
PLAN_NONE = "plan-none"


class Refusal(msgspec.Struct, frozen=True):
    """The body of every refused request."""

    error: str
    message: str


class TrustAnswer(msgspec.Struct, frozen=True):
    """Given at enrolment over the connection that the token's pin vouches for.

    `hubs` are the addresses of connectors, for `orillo preflight` to try.
    """

    cluster: str
    plan_keys: dict[str, str]
    ca: tuple[str, ...]
    hubs: tuple[str, ...] = ()


class PhaseCount(msgspec.Struct, frozen=True):
    """How one table stands on the device: objects by phase, and the first reason why one is not applied."""

    applied: int = 0
    waiting: int = 0
    failed: int = 0
    reason: str = ""


class TunnelState(msgspec.Struct, frozen=True):
    """One tunnel as the device sees it: `up` by the data path's probe, with its round trip in seconds."""

    up: bool
    chosen: bool = False
    rtt: float | None = None
    reason: str = ""


class Report(msgspec.Struct, frozen=True):
    """What the device says of itself, sent after each change and at every resync.

    `refused` is why the newest plan that was offered is not used; empty if it is. `drift` is how often others
    undid something of a table since the agent started, and it was put back.
    """

    identity: Identity
    agent: str
    at: datetime
    generation: int
    digest: str
    ipsec: str
    tables: dict[str, PhaseCount] = {}
    tunnels: dict[str, TunnelState] = {}
    refused: str = ""
    drift: dict[str, int] = {}
