# SPDX-License-Identifier: Apache-2.0
"""Who leads, by a Lease of the cluster's (`coordination.k8s.io/v1`).

No clock is compared with another one's: a Lease has run out when it was seen not to change for as long as it
says. It only keeps two from trying at the same time. What keeps a leader that is none any more from changing
anything is the ledger itself: see `Replica`.
"""

import json
import secrets
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from cloud.source.api import Api, ApiError

#: How long a Lease holds without being renewed, in seconds.
DURATION = 10.0
#: After so much of it a leader that could not renew it leads no more.
_SURE = 0.7
#: The leader's address, for people.
ADDRESS = "orillo.io/control"


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    holder_identity: str = ""
    renew_time: str = ""
    lease_transitions: int = 0


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str
    annotations: dict[str, str] = {}


class _Lease(msgspec.Struct, frozen=True):
    metadata: _Metadata
    spec: _Spec = _Spec()


class Election:
    """One candidate. `step` is to be called every second or two."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        address: str = "",
        identity: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity or f"{socket.gethostname()}_{secrets.token_hex(4)}"
        #: Who leads as far as is known, and where its control listener is.
        self.holder = ""
        self.address = ""
        self._own_address = address
        self._api = api
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/orillo-cloud"
        self._clock = clock
        self._seen = ""
        self._since = clock()
        self._sure_until = 0.0

    @property
    def leads(self) -> bool:
        """Whether nobody else can hold the Lease at this moment."""
        return self._clock() < self._sure_until

    async def step(self) -> bool:
        """Take or renew the Lease if that may be; whether we lead. Raises `ApiError`."""
        now = self._clock()
        lease = await self._read()
        spec = lease.spec
        self.holder, self.address = spec.holder_identity, lease.metadata.annotations.get(ADDRESS, "")
        if (mark := f"{spec.holder_identity} {spec.renew_time}") != self._seen:
            self._seen, self._since = mark, now
        free = not spec.holder_identity or now - self._since > DURATION
        if (free or spec.holder_identity == self.identity) and await self._write(lease, self.identity):
            self._sure_until = now + DURATION * _SURE
            self.holder, self.address = self.identity, self._own_address
        elif spec.holder_identity != self.identity:
            self._sure_until = 0.0
        return self.leads

    async def give_up(self) -> None:
        """Let another one lead at once. Raises `ApiError`."""
        self._sure_until = 0.0
        lease = await self._read()
        if lease.spec.holder_identity == self.identity:
            await self._write(lease, "")

    async def _read(self) -> _Lease:
        raw = await self._api.get(self._path)
        try:
            return msgspec.json.decode(raw, type=_Lease)
        except msgspec.MsgspecError as error:
            raise ApiError(f"the Lease orillo-cloud can't be read: {error}") from error

    async def _write(self, lease: _Lease, holder: str) -> bool:
        """Make `holder` the Lease's, unless another one was faster."""
        moment = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        changes = lease.spec.holder_identity != holder
        spec: dict[str, Any] = {
            "holderIdentity": holder,
            "leaseDurationSeconds": int(DURATION),
            "renewTime": moment,
            "leaseTransitions": lease.spec.lease_transitions + changes,
        }
        if changes:
            spec["acquireTime"] = moment
        metadata = {"annotations": {ADDRESS: self._own_address if holder else None}}
        body = {"metadata": metadata, "spec": spec}
        return await self._api.patch_at(self._path, lease.metadata.resource_version, body)


def quoted(error: Exception) -> str:
    """An error as one value of a log line."""
    return json.dumps(str(error))
