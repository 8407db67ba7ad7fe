# SPDX-License-Identifier: Apache-2.0
"""Signing a plan, and the one way from bytes to a plan that may be believed.

The signature covers the digest and the time of issue, behind a prefix that no other document of ours starts
with.
"""

import base64
import hashlib
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.netcore.plan.codec import PlanError, Signature, digest_of, read_document, to_document, to_plan
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.validation import check
from appliance.netcore.plan.values import convert, encode


def key_id(public: bytes) -> str:
    """The short name of a plan key: the first 16 hex digits of the SHA-256 of its raw bytes."""
    return hashlib.sha256(public).hexdigest()[:16]


def _signed_bytes(digest: object, issued_at: object) -> bytes:
    return f"orillo plan v1\n{digest}\n{issued_at}\n".encode()


def signature_of(digest: str, issued_at: str, key: Ed25519PrivateKey) -> Signature:
    """The signature of a document with this digest and this time of issue, as both are written in it."""
    value = base64.b64encode(key.sign(_signed_bytes(digest, issued_at))).decode()
    return Signature(key_id(key.public_key().public_bytes_raw()), value)


def sign(plan: Plan, key: Ed25519PrivateKey) -> bytes:
    """The plan's document with digest and signature, as sent and stored."""
    document = to_document(plan)
    return encode(document | {"signature": signature_of(document["digest"], document["issued_at"], key)})


def _exact_base64(text: str) -> bytes:
    """Decode base64 in its one canonical spelling, so that a signature can't be respelled."""
    value = base64.b64decode(text, validate=True)
    if base64.b64encode(value).decode() != text:
        raise ValueError("not canonical base64")
    return value


def verify(data: bytes, plan_keys: Mapping[str, str], owner: Identity) -> Plan:
    """Read, verify and check a signed plan made for `owner`.

    `plan_keys` are the trusted keys, as in `Trust`. Raises `PlanError`; nothing of a refused document is
    returned.
    """
    document = read_document(data)
    if document.get("digest") != digest_of(document):
        raise PlanError("the plan's digest does not match its content: it was changed or damaged")
    try:
        signature = convert(document.get("signature"), Signature)
    except msgspec.ValidationError as error:
        raise PlanError(f"the plan's signature can't be read: {error}") from error
    if signature.key not in plan_keys:
        raise PlanError(f"the plan is signed by key {signature.key}, which this device does not trust")
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(plan_keys[signature.key], validate=True))
        public.verify(
            _exact_base64(signature.value), _signed_bytes(document["digest"], document["issued_at"])
        )
    except (InvalidSignature, ValueError, KeyError) as error:
        raise PlanError("the plan's signature is wrong") from error
    plan = to_plan(document)
    if plan.identity != owner:
        raise PlanError(f"the plan is for {plan.identity.uri}, this device is {owner.uri}")
    problems = check(plan)
    if problems:
        raise PlanError("the plan contradicts itself: " + "; ".join(problems))
    return plan
