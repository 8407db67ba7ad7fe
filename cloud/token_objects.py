# SPDX-License-Identifier: Apache-2.0
"""EnrollTokens in a Kubernetes API: who may come in by them, counted where every operator sees the count.

A redemption is one compare-and-swap: the count is written under the version of the object that it was read
from, and the API server refuses the second of two who read the same.
"""

import hashlib
import hmac
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from appliance.netcore.plan.values import decode
from cloud.source.api import Api, ApiError
from cloud.source.kinds import is_object_name
from cloud.source.objects import EnrollTokenSpec
from cloud.store.tokens import Refused, StoredToken, TokenRefusedError

PATH = "/apis/orillo.io/v1alpha1/enrolltokens"
_CONFLICT, _NOT_FOUND = 409, 404
#: As many others may be faster, one after the other, before we give up.
_TRIES = 100


class EnrollTokenStatus(msgspec.Struct, frozen=True, rename="camel"):
    """How many devices came in by the token, and when the last one did."""

    used: int = 0
    last_used: datetime | None = None


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str
    name: str = ""


class _Found(msgspec.Struct, frozen=True):
    metadata: _Metadata
    spec: EnrollTokenSpec
    status: EnrollTokenStatus = EnrollTokenStatus()


async def redeem(api: Api, token_id: str, secret: str, asked: str, now: datetime) -> None:
    """Use a token up, once. Raises `TokenRefusedError` and `ApiError`.

    Whoever is refused learns what became of a token only if he holds its secret.
    """
    for _ in range(_TRIES):
        found = await _find(api, token_id, secret)
        token = _stored(found)
        token.admit(asked, now)
        if await _count(api, token, found.metadata.resource_version, now):
            return
    raise ApiError(f"EnrollToken {token_id} is changed by others all the time: try again", _CONFLICT)


async def find(api: Api, token_id: str, secret: str) -> StoredToken:
    """The token whose secret this is. Raises `TokenRefusedError` and `ApiError`."""
    return _stored(await _find(api, token_id, secret))


async def add(api: Api, body: dict[str, Any]) -> None:
    """Make an EnrollToken. Raises `ApiError`."""
    await api.create(PATH, body)


async def tokens(api: Api) -> list[StoredToken]:
    """Every EnrollToken that can be read, the last to expire first. Raises `ApiError`."""
    found = []
    for raw in (await api.list(PATH)).items:
        with suppress(msgspec.ValidationError):
            found.append(_stored(decode(bytes(raw), _Found)))
    return sorted(found, key=lambda token: (token.expires, token.id), reverse=True)


async def forget(api: Api, token_id: str) -> bool:
    """Remove an EnrollToken; whether there was one. Raises `ApiError`."""
    if not is_object_name(token_id):
        return False
    try:
        await api.delete(f"{PATH}/{token_id}")
    except ApiError as error:
        if error.status != _NOT_FOUND:
            raise
        return False
    return True


def _stored(found: _Found) -> StoredToken:
    spec, status = found.spec, found.status
    return StoredToken(found.metadata.name, spec.name, spec.expires, status.last_used, spec.uses, status.used)


async def _find(api: Api, token_id: str, secret: str) -> _Found:
    if not is_object_name(token_id):
        raise TokenRefusedError(Refused.UNKNOWN)
    try:
        found = decode(await api.get(f"{PATH}/{token_id}"), _Found)
    except ApiError as error:
        if error.status != _NOT_FOUND:
            raise
        raise TokenRefusedError(Refused.UNKNOWN) from error
    except msgspec.ValidationError as error:
        raise ApiError(f"EnrollToken {token_id} can't be read: {error}: correct it") from error
    if not hmac.compare_digest(found.spec.hash, hash_of(secret)):
        raise TokenRefusedError(Refused.UNKNOWN)
    return found


async def _count(api: Api, token: StoredToken, version: str, now: datetime) -> bool:
    """Count one more use, unless the object is another one by now."""
    moment = now.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    status = {"used": token.used + 1, "lastUsed": moment}
    return await api.patch_at(f"{PATH}/{token.id}/status", version, {"status": status})


def hash_of(secret: str) -> str:
    """What an EnrollToken holds of a secret: its SHA-256, in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()
