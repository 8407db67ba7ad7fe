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
from cloud.planner.allocation import allot
from cloud.planner.inventory import read_inventory
from cloud.publish import PlanningError
from cloud.source.access import Access
from cloud.source.api import Api
from cloud.source.kubernetes import KubernetesSource
from cloud.source.manifest import Manifest
from cloud.source.resources import NODES
from cloud.source.source import Key, Source
from cloud.status_writer import StatusWriter

log = logging.getLogger(__name__)

#: Changes that come together make one set of plans, in seconds.
_GATHER = 0.1
#: How often devices' states are looked at, in seconds, when nothing else happens.
_STATUS_EVERY = 2.0


async def follow_cluster(app: App, access: Access) -> None:
    """Serve this cluster until cancelled."""
    api = Api(access)
    source = KubernetesSource(api)
    writer = StatusWriter(app, api)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(source.run())
            tasks.create_task(_keep_mirror(app, source, writer))
            tasks.create_task(_keep_statuses(writer, source))
    finally:
        await api.close()


async def _keep_mirror(app: App, source: KubernetesSource, writer: StatusWriter) -> None:
    told: dict[Key, str] = {}
    while True:
        await source.changed.wait()
        await asyncio.sleep(_GATHER)
        source.changed.clear()
        if source.ready:
            refused = mirror(app, source)
            for key in refused.keys() - {key for key in told if told[key] == refused.get(key)}:
                log.error("event=object-refused object=%s reason=%s", "/".join(key), json.dumps(refused[key]))
            told = refused
            writer.read_inventory()


def mirror(app: App, source: Source) -> dict[Key, str]:
    """Make the store's manifests those of the source, and the plans that follow.

    The changes that can't be taken in, and why: they leave their objects as they were.
    """
    kept, wanted = app.store.objects.all(), source.all()
    asked = changes(kept, wanted)
    if not asked:
        return {}
    if _nodes(kept) and not _nodes(wanted):
        # No cluster is without nodes: this is another one, or one that has just been made.
        reason = "the API server has no Node at all, so nothing is forgotten: is this the right cluster?"
        return {("Node", "", "*"): reason}
    accepted = accept(kept, asked, lambda objects: _check(app, objects))
    new = [manifest for key, manifest in accepted.objects.items() if kept.get(key) != manifest]
    gone = [key for key in kept if key not in accepted.objects]
    try:
        with app.change("kubernetes"):
            app.store.objects.put(new)
            app.store.objects.delete(gone)
    except PlanningError as error:
        return dict.fromkeys((key for key, _ in asked), str(error))
    log.info("event=mirrored new=%d gone=%d refused=%d", len(new), len(gone), len(accepted.refused))
    return accepted.refused


def _nodes(objects: Mapping[Key, Manifest]) -> bool:
    return any(manifest.kind == NODES.kind.name for manifest in objects.values())


def _check(app: App, objects: Mapping[Key, Manifest]) -> None:
    """Raise `InventoryError` for objects that no plans can be made of."""
    fabric = app.settings.fabric
    allot(read_inventory(objects.values(), fabric), fabric, app.store.allocations.all())


async def _keep_statuses(writer: StatusWriter, source: KubernetesSource) -> None:
    while True:
        if source.ready:
            await writer.write_all()
        await asyncio.sleep(_STATUS_EVERY)
