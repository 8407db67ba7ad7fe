# SPDX-License-Identifier: Apache-2.0
"""The operator on a Kubernetes cluster: its objects in, plans out, and each device's state back.

What the API server has is mirrored into the store, so that everything behind it is the same whoever keeps
the manifests, and an operator that starts while the API server is away still knows its inventory. The
mirror is only ever made of a whole view: nothing is forgotten because it has not been seen *yet*.
"""

import asyncio
import json
import logging
from collections.abc import Iterable, Sequence, Set
from pathlib import Path

from cloud.acceptance import accept, changes
from cloud.app import App
from cloud.clusters import with_what_was_said
from cloud.network_writer import NetworkWriter
from cloud.planner.catalogue import Change
from cloud.planner.model import InventoryError
from cloud.publish import PlanningError
from cloud.replicas.lease import Election
from cloud.replicas.links import SharedLinks
from cloud.replicas.replica import Replica
from cloud.source.access import Access
from cloud.source.api import Api
from cloud.source.kubernetes import KubernetesSource
from cloud.source.manifest import Manifest
from cloud.source.resources import BLOCKS, CLUSTERS, COMMUNITIES, DEVICES, FABEDGE_CLUSTERS, NODES, POOLS
from cloud.source.source import Key, Source
from cloud.status_writer import StatusWriter

log = logging.getLogger(__name__)

#: Changes that come together make one set of plans, in seconds.
_GATHER = 0.1
#: The kinds that say which devices, communities and prefixes there are.
_DEVICES = frozenset(
    resource.kind.name
    for resource in (NODES, DEVICES, COMMUNITIES, CLUSTERS, POOLS, BLOCKS, FABEDGE_CLUSTERS)
)
#: How often devices' states are looked at, in seconds, when nothing else happens.
_STATUS_EVERY = 2.0


async def follow_cluster(app: App, access: Access, links: Path | None = None, address: str = "") -> None:
    """Serve this cluster until cancelled, beside others that do; `address` is what the Lease tells people.

    `links` is the folder of the clusters that this operator is enrolled at, for all replicas to have.
    """
    api = Api(access)
    replica = Replica(app, api, Election(api, access.namespace, address))
    source = KubernetesSource(api)
    mirror, writer, network = Mirror(app), StatusWriter(app, api), NetworkWriter(app, api)
    writer.hear_from(source)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(source.run())
            tasks.create_task(_keep_mirror(mirror, source, writer, network))
            tasks.create_task(_keep_statuses(app, mirror, source, writer, network))
            tasks.create_task(replica.run(lambda: mirror.whole))
            if links:
                tasks.create_task(SharedLinks(api, access.namespace, links).run())
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
            if mirror.take_in(source, source.take_news()):
                writer.read_inventory()
                network.look_again()
            refused = mirror.refused
            for key in refused.keys() - {key for key in told if told[key] == refused.get(key)}:
                log.error("event=object-refused object=%s reason=%s", "/".join(key), json.dumps(refused[key]))
            told = refused


class Mirror:
    """The store's manifests as those of a source; while there is one, nothing else writes them.

    `whole` is whether all of the source was looked at once. `refused` are the changes that were not taken in
    the last time, and why: their objects stay as they were.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._kept: dict[Key, Manifest] = dict(app.store.objects.all())
        self.whole = False
        self.refused: dict[Key, str] = {}

    def take_in(self, source: Source, news: Set[Key] | None = None) -> bool:
        """Keep what the source has, and the plans that follow; whether nodes or devices are others now.

        `news` are the keys of what is different since the last time; the first time, and without them, all
        of the source is looked at.
        """
        asked = self._asked(source, news)
        self.whole, self.refused = True, {}
        if not asked:
            return False
        if self._would_be_empty(asked):
            # No cluster is without nodes: this is another one, or one that has just been made.
            reason = "the API server has no Node at all, so nothing is forgotten: is this the right cluster?"
            self.refused = {("Node", "", "*"): reason}
            self.whole = False
            return False
        try:
            self._keep(asked)
        except InventoryError:
            accepted = accept(asked, self._app.check)
            self.refused = accepted.refused
            self._try_to_keep(accepted.changes)
        except PlanningError as error:
            self.refused = {key: str(error) for key, _ in asked}
        return any(key[0] in _DEVICES for key, _ in asked)

    def _asked(self, source: Source, news: Set[Key] | None) -> list[Change]:
        """What has to happen for the store to be as the source is; what was refused is asked for again."""
        if news is None or not self.whole:
            return changes(self._kept, source.all())
        keys = sorted(news | self.refused.keys())
        wanted = {key: manifest for key in keys if (manifest := source.get(key)) is not None}
        return changes({key: self._kept[key] for key in keys if key in self._kept}, wanted)

    def _would_be_empty(self, asked: Sequence[Change]) -> bool:
        if not any(key[0] == NODES.kind.name and manifest is None for key, manifest in asked):
            return False
        before = {key for key in self._kept if key[0] == NODES.kind.name}
        gone = {key for key, manifest in asked if manifest is None}
        return before <= gone and not any(key[0] == NODES.kind.name and manifest for key, manifest in asked)

    def _try_to_keep(self, asked: Sequence[Change]) -> None:
        try:
            self._keep(asked)
        except (InventoryError, PlanningError) as error:
            self.refused |= {key: str(error) for key, _ in asked}

    def _told(self, new: dict[Key, Manifest]) -> Iterable[Manifest]:
        """The new objects; another cluster's with what it said, which the API server does not know."""
        if not any(kind == "Cluster" for kind, _, _ in new):
            return new.values()
        return with_what_was_said(new.values(), self._app.store.objects.all())

    def _keep(self, asked: Sequence[Change]) -> None:
        """Write the changes. Raises `InventoryError` and `PlanningError`; then nothing is written."""
        new = {key: manifest for key, manifest in asked if manifest is not None}
        gone = [key for key, manifest in asked if manifest is None]
        with self._app.change("kubernetes"):
            self._app.store.objects.put(self._told(new))
            self._app.store.objects.delete(gone)
        for key in gone:
            self._kept.pop(key, None)
        self._kept |= new
        log.info("event=mirrored new=%d gone=%d", len(new), len(gone))


async def _keep_statuses(
    app: App, mirror: Mirror, source: KubernetesSource, writer: StatusWriter, network: NetworkWriter
) -> None:
    while True:
        if source.ready:
            writer.refused = mirror.refused | source.faults
            await writer.write_all()
            if app.shared and app.shared.leads:
                await network.write_all()
        await asyncio.sleep(_STATUS_EVERY)
