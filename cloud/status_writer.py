# SPDX-License-Identifier: Apache-2.0
"""The state of devices, communities and other clusters, written to their objects in the Kubernetes API."""

import dataclasses
import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from cloud import cluster_status
from cloud.app import App
from cloud.community_status import community_status
from cloud.device_status import Known, device_status, known_devices, speaks_here, worth_writing
from cloud.object_events import refusal, subject_of
from cloud.planner.inventory import InventoryError
from cloud.source.api import Api, ApiError
from cloud.source.kubernetes import KubernetesSource
from cloud.source.resources import CLUSTERS, COMMUNITIES, DEVICES, NODES
from cloud.source.status import ClusterState, CommunityStatus, DeviceStatus
from cloud.status_board import StatusBoard

if TYPE_CHECKING:
    from cloud.planner.model import Community, Node
    from cloud.source.source import Key

log = logging.getLogger(__name__)

#: How often all devices are looked at, whether or not anything was heard of them.
_ALL_EVERY = timedelta(seconds=30)
_CONFLICT = 409
_NOT_FOUND = 404


class StatusWriter:
    """Writes each device's status to its Device object, each community's to its Community, and so on.

    A node that has enrolled is given a Device object. `refused` are objects that can't be taken in as they
    are, and why: their own statuses say it, or Events where they have none.
    """

    def __init__(self, app: App, api: Api, now: Callable[[], datetime] | None = None) -> None:
        self.refused: Mapping[Key, str] = {}
        self._app = app
        self._api = api
        self._now = now or app.now
        self._devices = StatusBoard(api, DEVICES, DeviceStatus, worth_writing)
        self._boards = StatusBoard(api, COMMUNITIES, CommunityStatus, lambda new, old: new != old)
        self._others = StatusBoard(api, CLUSTERS, ClusterState, cluster_status.worth_writing)
        self._nodes: Mapping[str, Node] = {}
        self._communities: Mapping[str, Community] = {}
        self._declared: set[Key] = set()
        self._told = ""
        self._told_refused: dict[Key, str] = {}
        #: What is said of each device at present, and who is to be looked at with the next pass.
        self._statuses: dict[str, DeviceStatus] = {}
        self._due: set[str] = set()
        self._speaking: set[str] = set()
        self._whole_look: tuple[datetime, bool, Mapping[Key, str]] | None = None
        self._communities_due = True

    def hear_from(self, source: KubernetesSource) -> None:
        """Know what other replicas write."""
        source.hear(DEVICES, self._hear)
        source.hear(CLUSTERS, self._others.heard)

    def _hear(self, name: str, raw: msgspec.Raw | None) -> None:
        """A Device is as this now; another replica may have written its status."""
        self._devices.heard(name, raw)
        self._due.add(name)

    @property
    def _leads(self) -> bool:
        """Whether what no replica in particular knows is for this one to tell."""
        return self._app.shared is None or self._app.shared.leads

    def read_inventory(self) -> None:
        """Look again at what there is; to be called after each change of the manifests."""
        try:
            engine = self._app.engine()
        except InventoryError as error:  # settings may be others than those that the store was filled under
            log.error("event=inventory-unusable reason=%s", json.dumps(str(error)))  # noqa: TRY400
            return
        self._nodes, self._communities = dict(engine.inventory.nodes), dict(engine.inventory.communities)
        versions = {each.api_version for each in (DEVICES, COMMUNITIES, CLUSTERS)}  # FabEdge's have no status
        found = engine.manifests.items()
        self._declared = {key for key, manifest in found if manifest.api_version in versions}
        self._whole_look = None

    async def write_all(self) -> None:
        """One pass over those that may be others than at the last one; what fails is tried with the next.

        Every so often all of them are looked at: that a device was seen again is no news by itself.
        """
        try:
            await self._write_devices(self._whose())
            await self._write_clusters()
            if self._leads:
                await self._write_communities()
                await self._tell_refused()
        except ApiError as error:  # no API server: the next one would fare no better
            self._whole_look = None
            self._tell("*", error)
            return
        self._told = ""

    def _whose(self) -> set[str] | None:
        """The devices to be looked at; None for all of them."""
        names = self._due | self._app.take_touched() | (self._app.seen.keys() - self._speaking)
        self._due, self._speaking = set(), set(self._app.seen)
        before, now = self._whole_look, self._now()
        same = before is not None and before[1:] == (self._leads, self.refused)
        if same and before and now - before[0] < _ALL_EVERY:
            return names
        self._whole_look = (now, self._leads, dict(self.refused))
        return None

    async def _write_devices(self, names: set[str] | None) -> None:
        if names is not None and not names:
            return
        known = known_devices(self._app, self._nodes, self.refused, names)
        if names is None:
            self._devices.keep_only(known)
            self._statuses = {name: told for name, told in self._statuses.items() if name in known}
        for name, one in known.items():
            await self._write_device(name, one)
        self._communities_due = True

    async def _write_device(self, name: str, known: Known) -> None:
        before = self._devices.written(name)
        one = dataclasses.replace(known, here=speaks_here(known, before, self._now()))
        if not one.here and not self._leads:
            self._statuses.pop(name, None)
            return
        self._statuses[name] = status = device_status(one, before, self._now())
        key = (DEVICES.kind.name, "", name)
        # What has no Node may be another cluster's operator, which is enrolled here by its name.
        make = one.device is not None and one.node is not None
        wanted = make or key in self._declared or key in self.refused
        if wanted and not await self._try(self._devices, name, status, make=make):
            self._due.add(name)

    async def _write_communities(self) -> None:
        if not self._communities_due:
            return
        self._communities_due = False
        kind, cluster, devices = COMMUNITIES.kind.name, self._app.settings.cluster, self._statuses
        names = sorted(name for each, _, name in self._declared | self.refused.keys() if each == kind)
        self._boards.keep_only(names)
        for name in names:
            before, refused = self._boards.written(name), self.refused.get((kind, "", name), "")
            community = self._communities.get(name)
            status = community_status(community, cluster, devices, refused, before, self._now())
            if not await self._try(self._boards, name, status):
                self._communities_due = True

    async def _write_clusters(self) -> None:
        kind = CLUSTERS.kind.name
        declared = [key for key in self._declared if key[0] == kind]
        objects = self._app.engine().manifests if declared else {}
        manifests = {key[2]: objects[key] for key in declared if key in objects}
        refused = {name: reason for (each, _, name), reason in self.refused.items() if each == kind}
        if not manifests and not refused:
            return
        known = cluster_status.neighbours(self._app, manifests, refused, self._connectors())
        self._others.keep_only({one.name for one in known})
        for one in known:
            before = self._others.written(one.name)
            if cluster_status.is_ours(one, before, self._now(), leads=self._leads):
                status = cluster_status.cluster_status(one, before, self._now())
                await self._try(self._others, one.name, status)

    def _connectors(self) -> list[DeviceStatus]:
        """How the connectors stand, whichever replica they speak to."""
        names = [name for name, node in self._nodes.items() if node.is_connector]
        return [status for name in names if (status := self._devices.written(name))]

    async def _try(self, board: StatusBoard[Any], name: str, status: Any, *, make: bool = False) -> bool:
        """Write one; whether it stands there now. Raises `ApiError` only if there is no server at all."""
        try:
            if board.written(name) is None and await self._find(board, name, make=make):
                return False  # with the next pass, by when its conditions' times are known
            await board.put(name, status, self._now())
        except ApiError as error:
            board.forget(name)
            if error.status == 0:
                raise
            if error.status not in (_NOT_FOUND, _CONFLICT) or (error.status == _NOT_FOUND and make):
                self._tell(name, error)
            return False
        return True

    async def _find(self, board: StatusBoard[Any], name: str, *, make: bool) -> bool:
        try:
            return await board.find(name)
        except ApiError as error:
            if error.status != _NOT_FOUND or not make:
                raise
        await self._create(name)
        return await board.find(name)

    async def _tell_refused(self) -> None:
        """An Event for each object that is refused, when that begins or has another reason."""
        refused = dict(self.refused)
        for key, reason in refused.items():
            if self._told_refused.get(key) != reason and key[2] != "*":
                subject = subject_of(key)
                await self._api.create(subject.events, refusal(subject, reason, self._now()))
        self._told_refused = refused

    def _tell(self, name: str, error: ApiError) -> None:
        """Log what is wrong when it begins, not with every pass."""
        if self._told != str(error):
            log.warning("event=status-failed object=%s reason=%s", name, json.dumps(str(error)))
        self._told = str(error)

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
