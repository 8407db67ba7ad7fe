# SPDX-License-Identifier: Apache-2.0
"""An enrolled device without an enrolment, and plans signed for it."""

import base64
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.signature import key_id, sign
from appliance.paths import Paths
from appliance.sync.identity import DeviceIdentity, TrustFile, commit, staging, write_key
from tests.unit.plan.plans import SHOP1, edge_plan

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
START = datetime(2026, 1, 1, tzinfo=UTC)


def plan_keys(key: Ed25519PrivateKey = KEY) -> dict[str, str]:
    """The trust in one plan key."""
    raw = key.public_key().public_bytes_raw()
    return {key_id(raw): base64.b64encode(raw).decode()}


def trust_file(control_url: str = "https://127.0.0.1:1") -> TrustFile:
    """What shop1 keeps of its enrolment."""
    return TrustFile(
        identity=SHOP1,
        enroll_url="https://127.0.0.1:2",
        control_url=control_url,
        plan_keys=plan_keys(),
        not_before=START,
        not_after=START + timedelta(days=90),
    )


def enrolled(paths: Paths) -> DeviceIdentity:
    """shop1, with files of no worth."""
    with staging(paths) as staged:
        write_key(staged, b"key")
        return commit(paths, staged, trust_file(), b"certificate", [b"ca"])


def plan_of(generation: int, **changes: object) -> Plan:
    """shop1's plan of a generation."""
    return msgspec.structs.replace(edge_plan(), generation=generation, **changes)


def document(generation: int, **changes: object) -> bytes:
    """The same, signed."""
    return sign(plan_of(generation, **changes), KEY)
