# SPDX-License-Identifier: Apache-2.0
"""The operator on a Kubernetes cluster: its objects in, plans out, and each device's state back.

What the API server has is mirrored into the store, so that everything behind it is the same whoever keeps
the manifests, and an operator that starts while the API server is away still knows its inventory. The
mirror is only ever made of a whole view: nothing is forgotten because it has not been seen *yet*.
"""

import asyncio
import json
import logging

from cloud.app import App
from cloud.planner.inventory import InventoryError
from cloud.publish import PlanningError
from cloud.source.access import Access
from cloud.source.api import Api
from cloud.source.kubernetes import KubernetesSource
from cloud.source.source import Source
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
    while True:
        await source.changed.wait()
        await asyncio.sleep(_GATHER)
        source.changed.clear()
        if source.ready and mirror(app, source):
            writer.read_inventory()


def mirror(app: App, source: Source) -> bool:
    """Make the store's manifests those of the source, and the plans that follow; whether that could be done.

    Objects that contradict one another change nothing: devices go on with the plans that they have.
    """
    wanted, kept = source.all(), app.store.objects.all()
    new = [manifest for key, manifest in wanted.items() if kept.get(key) != manifest]
    gone = [key for key in kept if key not in wanted]
    if not new and not gone:
        return True
    try:
        with app.change("kubernetes"):
            app.store.objects.put(new)
            app.store.objects.delete(gone)
    except (InventoryError, PlanningError) as error:
        log.error("event=plans-not-made reason=%s", json.dumps(str(error)))  # noqa: TRY400
        return False
    log.info("event=mirrored objects=%d new=%d gone=%d", len(wanted), len(new), len(gone))
    return True


async def _keep_statuses(writer: StatusWriter, source: KubernetesSource) -> None:
    while True:
        if source.ready:
            await writer.write_all()
        await asyncio.sleep(_STATUS_EVERY)
