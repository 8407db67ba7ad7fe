# SPDX-License-Identifier: Apache-2.0
"""A plan as bytes: canonical form, digest, and the signed document on the wire and on disk."""

import hashlib
from typing import Any

import msgspec

from appliance.netcore.plan.model import SCHEMA, Plan
from appliance.netcore.plan.values import builtins, convert, decode, encode

#: Left out of the digest, so that every replica of the operator gets the same one for the same plan.
OUTSIDE_DIGEST = ("issued_at", "digest", "signature")


#: Fields of the plan that an appliance of the release before does not know: left out where they are empty.
LATER = ("lan",)


class PlanError(ValueError):
    """A plan that can't be used; the text says which rule it breaks."""


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An Ed25519 signature (RFC 8032), base64, and the id of the key that made it."""

    key: str
    value: str


def digest_of(document: dict[str, Any]) -> str:
    """SHA-256 (hex) of the canonical bytes of a plan document."""
    return hashlib.sha256(encode({k: v for k, v in document.items() if k not in OUTSIDE_DIGEST})).hexdigest()


def to_document(plan: Plan) -> dict[str, Any]:
    """The plan as a JSON document with its digest, not signed yet."""
    document: dict[str, Any] = builtins(plan)
    for name in LATER:
        if not document[name]:
            del document[name]
    return document | {"digest": digest_of(document)}


def read_document(data: bytes) -> dict[str, Any]:
    """Parse the bytes of a document; raises `PlanError` if they are no JSON object or another schema's."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"the plan is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise PlanError("the plan is not a JSON object")
    if document.get("schema") != SCHEMA:
        raise PlanError(f"unknown plan schema {document.get('schema')!r}: this agent reads {SCHEMA}")
    return document


class _Document(Plan, frozen=True, kw_only=True):
    """A plan as it is signed."""

    digest: str
    signature: Signature


def read_plan(data: bytes) -> Plan:
    """The plan in a document that was verified, with no copy of it as plain dicts between the two.

    Raises `PlanError` if it is none.
    """
    try:
        document = decode(data, _Document)
    except (msgspec.DecodeError, ValueError) as error:
        raise PlanError(f"the plan does not fit its schema: {error}") from error
    return Plan(**{field: getattr(document, field) for field in Plan.__struct_fields__})


def to_plan(document: dict[str, Any]) -> Plan:
    """The typed plan in a document; raises `PlanError` with the path of the field at fault."""
    fields = {k: v for k, v in document.items() if k not in ("digest", "signature")}
    try:
        return convert(fields, Plan)
    except (msgspec.ValidationError, ValueError) as error:
        raise PlanError(f"the plan does not fit its schema: {error}") from error
