# SPDX-License-Identifier: Apache-2.0
"""The CA and the key of plans, in one Secret for all replicas; each has a copy on its own disk.

The Secret is made empty, with the rights that only its name gives, and the first replica fills it. Keys are
never made anew for a cluster whose devices know others, and never changed by what is on a replica's disk.
"""

import base64
import binascii
import logging
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from cloud.ca.issuer import Issuer
from cloud.ca.keys import PRIVATE_MODE, PlanKey
from cloud.files import make_private_directory, write_atomic
from cloud.paths import CloudPaths
from cloud.replicas.lease import quoted
from cloud.replicas.ledger import LEDGERS
from cloud.source.api import Api, ApiError
from cloud.source.resources import DEVICES

log = logging.getLogger(__name__)

FILES = ("ca.key", "ca.crt", "plan.key")
_NOT_FOUND = 404
_TRIES = 20

Keys = Mapping[str, bytes]


class KeysError(Exception):
    """Keys that can't be had or must not be made; the text says what to do."""


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str


class _Secret(msgspec.Struct, frozen=True):
    metadata: _Metadata
    data: dict[str, str] = {}


async def settle_keys(api: Api, namespace: str, paths: CloudPaths, cluster: str, now: datetime) -> None:
    """Have the keys of the Secret on disk; fill it with those on disk, or with new ones, if it is empty.

    While the API server is away, those on disk will do. Raises `KeysError`, `ApiError` and `OSError`.
    """
    make_private_directory(paths.keys)
    try:
        keys = await _agree(api, namespace, paths, cluster, now)
    except ApiError as error:
        if error.status or _on_disk(paths) is None:
            raise
        log.warning("event=keys-from-disk reason=%s", quoted(error))
        return
    for name, content in keys.items():
        write_atomic(paths.keys / name, content, PRIVATE_MODE)


async def _agree(api: Api, namespace: str, paths: CloudPaths, cluster: str, now: datetime) -> Keys:
    for _ in range(_TRIES):
        secret = await _read(api, namespace)
        ours = _on_disk(paths)
        if _has_keys(secret):
            return _checked(_keys_in(secret), ours, paths)
        keys = ours or await _new(api, cluster, now)
        if await _fill(api, namespace, keys, secret.metadata.resource_version):
            log.info("event=keys-shared made=%s", "no" if ours else "yes")
            return keys
    raise KeysError("the Secret orillo-cloud is changed by others all the time: try again")


async def _fill(api: Api, namespace: str, keys: Keys, version: str) -> bool:
    """Fill the Secret, unless it is another one than at `version`. Raises `ApiError`."""
    data = {name: base64.b64encode(keys[name]).decode() for name in FILES}
    return await api.patch_at(secret_path(namespace), version, {"data": data})


async def restore_keys(api: Api, namespace: str, paths: CloudPaths) -> None:
    """Fill the Secret with the keys on disk, unless it has them. Raises `KeysError` and `ApiError`."""
    ours, secret = _on_disk(paths), await _read(api, namespace)
    if ours is None:
        raise KeysError(f"there are no keys in {paths.keys}")
    if _has_keys(secret):
        if _keys_in(secret) != ours:
            problem = f"the Secret orillo-cloud in {namespace} holds other keys than the backup"
            raise KeysError(f"{problem}: if no device believes those, delete it and make it anew, empty")
        return
    if not await _fill(api, namespace, ours, secret.metadata.resource_version):
        raise KeysError(
            "the Secret orillo-cloud was filled by somebody else just now: is its operator running?"
        )


async def _read(api: Api, namespace: str) -> _Secret:
    try:
        return msgspec.json.decode(await api.get(secret_path(namespace)), type=_Secret)
    except ApiError as error:
        if error.status != _NOT_FOUND:
            raise
        problem = f"there is no Secret orillo-cloud in the namespace {namespace}"
        raise KeysError(f"{problem}: apply packaging/kubernetes/state.yaml, or install the chart") from error
    except msgspec.MsgspecError as error:
        raise KeysError(f"the Secret orillo-cloud can't be read: {error}") from error


def _has_keys(secret: _Secret) -> bool:
    return any(name in secret.data for name in FILES)


def _keys_in(secret: _Secret) -> Keys:
    try:
        return {name: base64.b64decode(secret.data[name], validate=True) for name in FILES}
    except (KeyError, binascii.Error) as error:
        problem = "the Secret orillo-cloud holds something, but not the operator's keys"
        raise KeysError(f"{problem}: put them back by `orillo-cloud restore --kubernetes`") from error


def _checked(shared: Keys, ours: Keys | None, paths: CloudPaths) -> Keys:
    """The Secret's keys, unless this disk belongs to another fabric."""
    if ours and ours["ca.crt"] != shared["ca.crt"] and paths.database.exists():
        remedy = f"start with an empty {paths.state}, or with that cluster's own"
        raise KeysError(f"{paths.keys} and the Secret orillo-cloud hold two different CAs: {remedy}")
    return shared


def _on_disk(paths: CloudPaths) -> Keys | None:
    files = [paths.keys / name for name in FILES]
    return {file.name: file.read_bytes() for file in files} if all(map(Path.exists, files)) else None


async def _new(api: Api, cluster: str, now: datetime) -> Keys:
    """Keys for a fabric that has none yet. Raises `KeysError` if devices believe others."""
    names = {name for page in (await api.list(LEDGERS.path)).items for name in _enrolled(page)}
    names |= {name for raw in (await api.list(DEVICES.path)).items if (name := _of_before(raw))}
    if names:
        problem = (
            f"the Secret orillo-cloud is empty, but {len(names)} devices ({min(names)}, ...) are enrolled"
        )
        remedy = "put the keys back by `orillo-cloud restore --kubernetes FILE`; new ones would lock them out"
        raise KeysError(f"{problem}: {remedy}")
    folder = Path(tempfile.mkdtemp(prefix="orillo-keys-"))
    try:
        Issuer.create(folder, cluster, now)
        PlanKey.create(folder / "plan.key")
        return {name: (folder / name).read_bytes() for name in FILES}
    finally:
        shutil.rmtree(folder)


def _enrolled(page: msgspec.Raw) -> list[str]:
    body: Any = msgspec.json.decode(page)
    devices = body.get("spec", {}).get("devices", {})
    return [name for name, record in devices.items() if record.get("enrolments")]


def _of_before(raw: msgspec.Raw) -> str:
    """A device's name, if an operator from before there were Ledgers says that it is enrolled."""
    body: Any = msgspec.json.decode(raw)
    return str(body["metadata"]["name"]) if body.get("status", {}).get("state") == "enrolled" else ""


def secret_path(namespace: str) -> str:
    """Where the Secret is."""
    return f"/api/v1/namespaces/{namespace}/secrets/orillo-cloud"
