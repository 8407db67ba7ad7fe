# SPDX-License-Identifier: Apache-2.0
"""From bytes to a plan that may be believed, and every way in which it may not."""

import base64
import json
from datetime import UTC, datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from appliance.netcore.plan.codec import PlanError, digest_of, to_document
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.signature import key_id, sign, verify
from tests.unit.plan.plans import SHOP1, edge_plan

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
KEYS = {key_id(PUBLIC): base64.b64encode(PUBLIC).decode()}
SIGNED = sign(edge_plan(), KEY)


def test_signed_plan_comes_back_equal() -> None:
    assert verify(SIGNED, KEYS, SHOP1) == edge_plan()


def test_digest_leaves_out_the_time_of_issue() -> None:
    later = msgspec.structs.replace(edge_plan(), issued_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert digest_of(to_document(later)) == digest_of(to_document(edge_plan()))


def test_digest_covers_the_generation() -> None:
    newer = msgspec.structs.replace(edge_plan(), generation=4)
    assert digest_of(to_document(newer)) != digest_of(to_document(edge_plan()))


@given(position=st.integers(0, len(SIGNED) - 1), flip=st.integers(1, 255))
def test_no_changed_byte_is_believed(position: int, flip: int) -> None:
    """Not even one: the document has no byte that neither digest nor signature speaks for."""
    damaged = bytearray(SIGNED)
    damaged[position] ^= flip
    with pytest.raises(PlanError):
        verify(bytes(damaged), KEYS, SHOP1)


@given(length=st.integers(0, len(SIGNED) - 1))
def test_no_truncated_plan_is_believed(length: int) -> None:
    with pytest.raises(PlanError):
        verify(SIGNED[:length], KEYS, SHOP1)


def test_key_that_is_not_trusted_is_named() -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(PlanError, match=f"key {key_id(stranger.public_key().public_bytes_raw())}"):
        verify(sign(edge_plan(), stranger), KEYS, SHOP1)


def test_time_of_issue_is_signed() -> None:
    document = json.loads(SIGNED) | {"issued_at": "2030-01-01T00:00:00Z"}
    with pytest.raises(PlanError, match="signature is wrong"):
        verify(json.dumps(document).encode(), KEYS, SHOP1)


def test_plan_of_another_device_is_refused() -> None:
    other = Identity(cluster="lab", name="shop2", instance="22222222")
    with pytest.raises(PlanError, match=r"is for orillo://lab/shop1/0a1b2c3d, this device is .*shop2"):
        verify(SIGNED, KEYS, other)


def test_unknown_schema_is_named() -> None:
    document = json.loads(SIGNED) | {"schema": "orillo.io/plan/v9"}
    with pytest.raises(PlanError, match=r"unknown plan schema 'orillo.io/plan/v9'"):
        verify(json.dumps(document).encode(), KEYS, SHOP1)


def test_signed_contradiction_is_refused() -> None:
    """The operator may be wrong too: a plan that can't be applied is refused before anything is touched."""
    plan = edge_plan()
    overlapping = msgspec.structs.replace(plan, prefixes=plan.peers["shop2"].prefixes)
    with pytest.raises(PlanError, match=r"10\.200\.2\.0/24 of shop2 overlaps"):
        verify(sign(overlapping, KEY), KEYS, SHOP1)
