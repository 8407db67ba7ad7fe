# SPDX-License-Identifier: Apache-2.0
"""The operator on a Kubernetes cluster: its objects in, plans out, and each device's state back.

What the API server has is mirrored into the store, so that everything behind it is the same whoever keeps
the manifests, and an operator that starts while the API server is away still knows its inventory. The
mirror is only ever made of a whole view: nothing is forgotten because it has not been seen *yet*.
"""

import asyncio
import json
import logging
from collections.abc import Mapping

from cloud.acceptance import accept, changes
from cloud.app import App
from cloud.network_writer import NetworkWriter
from cloud.planner.allocation import allot
from cloud.planner.inventory import InventoryError, read_inventory
from cloud.publish import PlanningError
from cloud.source.access import Access
from cloud.source.api import Api
from cloud.source.kubernetes import KubernetesSource
from cloud.source.manifest import Manifest
from cloud.source.resources import COMMUNITIES, DEVICES, NODES
from cloud.source.source import Key, Source
from cloud.status_writer import StatusWriter

log = logging.getLogger(__name__)

#: Changes that come together make one set of plans, in seconds.
_GATHER = 0.1
#: The kinds that say which devices and communities there are.
_DEVICES = frozenset((NODES.kind.name, DEVICES.kind.name, COMMUNITIES.kind.name))
#: How often devices' states are looked at, in seconds, when nothing else happens.
_STATUS_EVERY = 2.0


async def follow_cluster(app: App, access: Access) -> None:
    """Serve this cluster until cancelled."""
    api = Api(access)
    source = KubernetesSource(api)
    mirror, writer, network = Mirror(app), StatusWriter(app, api), NetworkWriter(app, api)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(source.run())
            tasks.create_task(_keep_mirror(mirror, source, writer, network))
            tasks.create_task(_keep_statuses(mirror, source, writer, network))
    finally:
        await api.close()


async def _keep_mirror(
    mirror: "Mirror", source: KubernetesSource, writer: StatusWriter, network: NetworkWriter
) -> None:
    told = dict[Key, str]()
    writer.read_inventory()
    while True:
        await source.changed.wait()
        await asyncio.sleep(_GATHER)
        source.changed.clear()
        if source.ready:
            if mirror.take_in(source):
                writer.read_inventory()
            network.look_again()
            refused = mirror.refused
            for key in refused.keys() - {key for key in told if told[key] == refused.get(key)}:
                log.error("event=object-refused object=%s reason=%s", "/".join(key), json.dumps(refused[key]))
            told = refused


class Mirror:
    """The store's manifests as those of a source; while there is one, nothing else writes them.

    `refused` are the changes that were not taken in the last time, and why: their objects stay as they were.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._kept: Mapping[Key, Manifest] = app.store.objects.all()
        self.refused: dict[Key, str] = {}

    def take_in(self, source: Source) -> bool:
        """Keep what the source has, and the plans that follow; whether statuses need another look."""
        kept, wanted = self._kept, source.all()
        asked = changes(kept, wanted)
        self.refused = {}
        if not asked:
            return False
        if _nodes(kept) and not _nodes(wanted):
            # No cluster is without nodes: this is another one, or one that has just been made.
            reason = "the API server has no Node at all, so nothing is forgotten: is this the right cluster?"
            self.refused = {("Node", "", "*"): reason}
            return False
        try:
            self._keep(wanted)
        except InventoryError:
            accepted = accept(kept, asked, self._check)
            self.refused = accepted.refused
            self._try_to_keep(accepted.objects)
        except PlanningError as error:
            self.refused = {key: str(error) for key, _ in asked}
        return any(key[0] in _DEVICES for key, _ in asked)

    def _try_to_keep(self, wanted: Mapping[Key, Manifest]) -> None:
        try:
            self._keep(wanted)
        except (InventoryError, PlanningError) as error:
            self.refused |= {key: str(error) for key, _ in changes(self._kept, wanted)}

    def _keep(self, wanted: Mapping[Key, Manifest]) -> None:
        """Write the difference. Raises `InventoryError` and `PlanningError`; then nothing is written."""
        new = [manifest for key, manifest in wanted.items() if self._kept.get(key) != manifest]
        gone = [key for key in self._kept if key not in wanted]
        with self._app.change("kubernetes"):
            self._app.store.objects.put(new)
            self._app.store.objects.delete(gone)
        self._kept = wanted
        log.info("event=mirrored new=%d gone=%d", len(new), len(gone))

    def _check(self, objects: Mapping[Key, Manifest]) -> None:
        """Raise `InventoryError` for objects that no plans can be made of."""
        fabric = self._app.settings.fabric
        allot(read_inventory(objects.values(), fabric), fabric, self._app.store.allocations.all())


def _nodes(objects: Mapping[Key, Manifest]) -> bool:
    return any(manifest.kind == NODES.kind.name for manifest in objects.values())


async def _keep_statuses(
    mirror: Mirror, source: KubernetesSource, writer: StatusWriter, network: NetworkWriter
) -> None:
    while True:
        if source.ready:
            writer.refused = source.faults | mirror.refused
            await writer.write_all()
            await network.write_all()
        await asyncio.sleep(_STATUS_EVERY)
