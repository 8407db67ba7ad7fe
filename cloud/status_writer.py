# SPDX-License-Identifier: Apache-2.0
"""Each device's state, written to its Device object in the Kubernetes API."""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from appliance.netcore.plan.values import builtins, decode
from cloud.app import App
from cloud.device_events import EVENTS, events
from cloud.device_status import device_status, known_devices, worth_writing
from cloud.planner.inventory import InventoryError
from cloud.source.api import Api, ApiError
from cloud.source.resources import DEVICES, NODES
from cloud.source.status import DeviceStatus

if TYPE_CHECKING:
    from cloud.planner.model import Node

log = logging.getLogger(__name__)

_CONFLICT = 409
_NOT_FOUND = 404


class _Found(msgspec.Struct, frozen=True):
    status: DeviceStatus | None = None


class StatusWriter:
    """Writes each device's status to its Device object. A device that has enrolled is given one."""

    def __init__(self, app: App, api: Api, now: Callable[[], datetime] | None = None) -> None:
        self._app = app
        self._api = api
        self._now = now or app.now
        self._written: dict[str, DeviceStatus] = {}
        self._nodes: Mapping[str, Node] = {}
        self._declared: set[str] = set()
        self._told = ""

    def read_inventory(self) -> None:
        """Look again at which devices there are; to be called after each change of the manifests."""
        try:
            self._nodes = self._app.inventory().nodes
        except InventoryError as error:  # settings may be others than those that the store was filled under
            log.error("event=inventory-unusable reason=%s", json.dumps(str(error)))  # noqa: TRY400
            return
        self._declared = {
            name for kind, _, name in self._app.store.objects.all() if kind == DEVICES.kind.name
        }

    async def write_all(self) -> None:
        """One pass over all devices; one that fails is tried again with the next pass."""
        devices = known_devices(self._app, self._nodes)
        for name in self._written.keys() - devices.keys():
            del self._written[name]
        for name, known in devices.items():
            if known.device is None and name not in self._declared:
                continue
            status = device_status(known, self._written.get(name), self._now())
            try:
                await self._write(name, status)
            except ApiError as error:
                self._tell(name, error)
                self._written.pop(name, None)
                if error.status in (0, _NOT_FOUND):
                    return  # no API server, or no Device in it: the next one would fare no better
        self._told = ""

    def _tell(self, name: str, error: ApiError) -> None:
        """Log what is wrong when it begins, not with every pass."""
        if self._told != str(error):
            log.warning("event=status-failed device=%s reason=%s", name, json.dumps(str(error)))
        self._told = str(error)

    async def _write(self, name: str, status: DeviceStatus) -> None:
        if name not in self._written:
            found = await self._find(name)
            if found:
                self._written[name] = found
                return  # with the next pass, by when its conditions' times are known
        if worth_writing(status, self._written.get(name)):
            await self._api.patch(f"{DEVICES.path_of(name)}/status", {"status": _body(status)})
            for event in events(name, self._written.get(name), status, self._now()):
                await self._api.create(EVENTS, event)
            self._written[name] = status

    async def _find(self, name: str) -> DeviceStatus | None:
        """What was last written, by whichever operator; the object is made if it is not there."""
        try:
            return _read(await self._api.get(DEVICES.path_of(name)))
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
        await self._create(name)
        return None

    async def _create(self, name: str) -> None:
        body = {
            "apiVersion": DEVICES.api_version,
            "kind": DEVICES.kind.name,
            "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "orillo-cloud"}}
            | await self._owner(name),
        }
        try:
            await self._api.create(DEVICES.path, body)
        except ApiError as error:
            if error.status != _CONFLICT:
                raise

    async def _owner(self, name: str) -> dict[str, Any]:
        """The Node of the device, with which its object is to go."""
        try:
            node = json.loads(await self._api.get(NODES.path_of(name)))
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            return {}
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}
        return {"ownerReferences": [owner]}


def _read(raw: bytes) -> DeviceStatus | None:
    try:
        return decode(raw, _Found).status
    except (msgspec.MsgspecError, ValueError):
        return None  # of another version, or written by hand: ours takes its place


def _body(status: DeviceStatus) -> dict[str, Any]:
    body: dict[str, Any] = builtins(status)
    return {name: value for name, value in body.items() if value is not None}
