# SPDX-License-Identifier: Apache-2.0
"""Renewal of the device's certificate, with a new key, at two thirds of its life."""

import hashlib
from datetime import datetime
from typing import Protocol

from appliance.netcore.plan.exchange import TrustAnswer
from appliance.paths import Paths
from appliance.sync.errors import IdentityError
from appliance.sync.identity import DeviceIdentity, TrustFile, commit, load_identity, staging, write_key

_DUE = 2 / 3
_SPREAD = 1 / 20


class Renewer(Protocol):
    """What renewal needs of the control endpoint."""

    async def renew(self, csr: bytes) -> bytes: ...

    async def trust(self) -> TrustAnswer: ...


def renewal_time(not_before: datetime, not_after: datetime, instance: str) -> datetime:
    """When to renew: at 2/3 of the life, later by up to 1/20 of it.

    The instance decides by how much, so that a fleet enrolled in one morning does not renew in one minute.
    """
    share = int.from_bytes(hashlib.sha256(instance.encode()).digest()[:4], "big") / 2**32
    return not_before + (not_after - not_before) * (_DUE + _SPREAD * share)


def renewal_due(device: DeviceIdentity, now: datetime) -> bool:
    """Whether the device's certificate should be renewed now."""
    return now >= renewal_time(device.not_before, device.not_after, device.identity.instance)


async def renew(paths: Paths, device: DeviceIdentity, client: Renewer) -> DeviceIdentity:
    """A new key and certificate for the same instance, and the trust as it is now.

    Raises `DoorError`; the identity before is then untouched.
    """
    # Imported when used: X.509 in Python is what the idle daemon can do without.
    from appliance.sync.identity_keys import make_csr, new_key, read_new_leaf

    with staging(paths) as staged:
        held = load_identity(paths)
        if held is None or held.identity != device.identity:
            raise IdentityError("the device was enrolled anew meanwhile: the identity before is not renewed")
        key = new_key()
        write_key(staged, key)
        trust = await client.trust()
        ca = [text.encode() for text in trust.ca]
        leaf = read_new_leaf(await client.renew(make_csr(key)), key, ca)
        if leaf.identity != device.identity:
            raise IdentityError(f"the renewed certificate is for {leaf.identity.uri}: it is not used")
        stored = TrustFile(
            identity=device.identity,
            enroll_url=device.enroll_url,
            control_url=device.control_url,
            plan_keys=trust.plan_keys,
            not_before=leaf.not_before,
            not_after=leaf.not_after,
        )
        return commit(paths, staged, stored, leaf.pem, ca)
