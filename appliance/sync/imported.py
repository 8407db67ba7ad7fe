# SPDX-License-Identifier: Apache-2.0
"""A site plan that was carried here: believed by the plan key that came with it, until there is an identity.

With it a site has its local network, services and names before it has ever seen the cloud; its tunnels wait
for an identity.
"""

import base64
from dataclasses import dataclass

import msgspec

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.files import read, write_atomic
from appliance.netcore.plan.codec import PlanError
from appliance.netcore.plan.identity import Identity
from appliance.paths import Paths
from appliance.sync.identity import load_identity
from appliance.sync.store import Held, PlanStore

_FILE = "imported.json"
_KEY_LENGTH = 32  # Ed25519 (RFC 8032)


class _File(msgspec.Struct, frozen=True):
    identity: Identity
    plan_keys: dict[str, str]


class _Named(msgspec.Struct, frozen=True):
    identity: Identity


@dataclass(frozen=True)
class Imported:
    """Whom the imported plan is for, and whose plans are believed for it."""

    identity: Identity
    plan_keys: dict[str, str]


def load_imported(paths: Paths) -> Imported | None:
    """What an import left, or None. A damaged record is none: the plan can be imported again."""
    data = read(paths.state / _FILE)
    try:
        kept = msgspec.json.decode(data, type=_File) if data is not None else None
    except msgspec.MsgspecError:
        return None
    return Imported(kept.identity, kept.plan_keys) if kept is not None else None


def import_plan(paths: Paths, data: bytes, key: str) -> Held:
    """Keep a signed plan for a device that is not enrolled. `key` is the public plan key in base64.

    Raises `PlanError` for a plan that this key did not sign, and `DoorError` on an enrolled device or if it
    can't be kept; then all is as before.
    """
    # As in `sync/hands.py`: a daemon that only reads the record does without cryptography.
    from appliance.netcore.plan.signature import key_id

    device = load_identity(paths)
    if device is not None:
        raise DoorError(f"this device is enrolled as {device.identity.name}: its plans come from its cluster")
    key = key.strip()
    keys = {key_id(_public(key)): key}
    try:
        owner = msgspec.json.decode(data, type=_Named).identity
    except msgspec.MsgspecError as error:
        raise PlanError(f"this is no signed plan: {error}") from error
    store = PlanStore(paths.plans, keys, owner)
    # Refused here, if at all: nothing on disk has been touched yet.
    store.verify(data)
    write_atomic(paths.state / _FILE, msgspec.json.encode(_File(owner, keys)), 0o600)
    return store.put(data, store.load().held)


def _public(key: str) -> bytes:
    try:
        public = base64.b64decode(key, validate=True)
    except ValueError:
        public = b""
    if len(public) != _KEY_LENGTH:
        raise PlanError("the plan key is no Ed25519 public key in base64: see `orillo-cloud plan key`")
    return public
