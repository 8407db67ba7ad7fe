# SPDX-License-Identifier: Apache-2.0
"""The statuses of the objects of one kind, as they were last written to the Kubernetes API, by whomever."""

from collections.abc import Callable, Container
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from appliance.netcore.plan.values import builtins, convert
from cloud.object_events import Subject, news
from cloud.source.api import Api
from cloud.source.resources import Resource
from cloud.source.status import Condition


class Status(Protocol):
    """The status of any object."""

    @property
    def conditions(self) -> tuple[Condition, ...]: ...


S = TypeVar("S", bound=Status)


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    uid: str = ""
    resource_version: str = ""


class _Found(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()
    status: dict[str, Any] = {}


class StatusBoard(Generic[S]):
    """Writes what is worth writing, with Events for what changed. Raises `ApiError`."""

    def __init__(
        self, api: Api, resource: Resource, kind: type[S], worth: Callable[[S, S | None], bool]
    ) -> None:
        self._api = api
        self._resource = resource
        self._kind = kind
        self._worth = worth
        self._written: dict[str, S] = {}
        self._uids: dict[str, str] = {}
        self._versions: dict[str, str] = {}

    def heard(self, name: str, raw: bytes | msgspec.Raw | None) -> None:
        """Its object is this now, or is gone; whoever wrote it."""
        if raw is None:
            self.forget(name)
        else:
            self._read(name, raw)

    def written(self, name: str) -> S | None:
        """What is known to stand there."""
        return self._written.get(name)

    def keep_only(self, names: Container[str]) -> None:
        """Forget all others."""
        self._written = {name: status for name, status in self._written.items() if name in names}
        self._uids = {name: uid for name, uid in self._uids.items() if name in names}
        self._versions = {name: version for name, version in self._versions.items() if name in names}

    def forget(self, name: str) -> None:
        """What stands there is not known any more."""
        self._written.pop(name, None)
        self._versions.pop(name, None)

    async def find(self, name: str) -> bool:
        """Look what stands there; whether it was anything that we understand."""
        return self._read(name, await self._api.get(self._resource.path_of(name)))

    def _read(self, name: str, raw: bytes | msgspec.Raw) -> bool:
        try:
            found = msgspec.json.decode(raw, type=_Found)
            self._uids[name] = found.metadata.uid
            self._versions[name] = found.metadata.resource_version
            if not found.status:
                return False
            self._written[name] = convert(found.status, self._kind)
        except (msgspec.MsgspecError, ValueError):
            return False  # of another version, or written by hand: ours takes its place
        return True

    async def put(self, name: str, status: S, now: datetime) -> None:
        """Write it, unless it stands there. Status 409 if somebody else wrote there in the meantime."""
        before = self._written.get(name)
        if not self._worth(status, before):
            return
        body = _difference(builtins(before) if before else {}, builtins(status))
        metadata = {"resourceVersion": self._versions[name]} if name in self._versions else {}
        path = f"{self._resource.path_of(name)}/status"
        answer = await self._api.patch(path, {"metadata": metadata, "status": body})
        kind, uid = self._resource.kind.name, self._uids.get(name, "")
        subject = Subject(self._resource.api_version, kind, name, uid=uid)
        for event in news(subject, before.conditions if before else None, status.conditions, now):
            await self._api.create(subject.events, event)
        self._read(name, answer)
        self._written[name] = status


def _difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """`after` as a merge patch (RFC 7396) that also takes away what was in `before` and is in it no more."""
    body: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for name, value in after.items():
        old = before.get(name)
        body[name] = _difference(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return body
