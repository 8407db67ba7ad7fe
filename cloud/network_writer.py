# SPDX-License-Identifier: Apache-2.0
"""What the cluster's own network programs have to know: what was allotted, and what is not to be masqueraded.

For the leader alone, since it is the one that allots. Nothing is written but what differs.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

from appliance.netcore.plan.values import Prefix
from cloud.app import App
from cloud.planner.allocation import AllotmentError
from cloud.planner.inventory import InventoryError
from cloud.planner.networks import ALLOTTED_ANNOTATION, MANAGED_LABEL, kept_pools
from cloud.source.api import Api, ApiError
from cloud.source.manifest import Manifest
from cloud.source.resources import NODES, POOLS

log = logging.getLogger(__name__)

_CONFLICT, _NOT_FOUND = 409, 404
#: The smallest block that Calico takes for a pool, by IP version, unless the pool itself is smaller.
_BLOCK = {4: 26, 6: 122}


class NetworkWriter:
    """Keeps the Nodes' annotations and Calico's IPPools."""

    def __init__(self, app: App, api: Api) -> None:
        self._app = app
        self._api = api
        self._look = True
        self._told = ""

    def look_again(self) -> None:
        """Something changed; also a pool that somebody else took away."""
        self._look = True

    async def write_all(self) -> None:
        """One pass, if anything changed since the last; what fails is tried again with the next."""
        if not self._look:
            return
        try:
            objects = dict(self._app.engine().manifests)
            annotations, pools = self._wanted()
        except (InventoryError, AllotmentError):
            return  # whoever makes the plans says so
        nodes = {name: one for (kind, _, name), one in objects.items() if kind == NODES.kind.name}
        there = {name: one for (kind, _, name), one in objects.items() if kind == POOLS.kind.name}
        try:
            await self._annotate(nodes, annotations)
            await self._keep_pools(there, pools)
        except ApiError as error:
            if self._told != str(error):
                log.warning("event=network-not-written reason=%s", json.dumps(str(error)))
            self._told = str(error)
        else:
            self._told, self._look = "", False

    def _wanted(self) -> tuple[dict[str, str], dict[str, Prefix]]:
        """The annotation of each node that we allot to, and the pools by name."""
        now = self._app.situation()
        inventory, fabric = now.inventory, now.fabric
        ours = [name for name, node in inventory.nodes.items() if not node.prefixes]
        annotations = {name: ",".join(map(str, now.allocations[name].prefixes)) for name in ours}
        edges = [node for node in inventory.nodes.values() if node.is_edge]
        remote = [prefix for node in edges for prefix in (*now.allocations[node.name].prefixes, *node.lan)]
        remote += [prefix for prefixes in inventory.clusters.values() for prefix in prefixes]
        return annotations, kept_pools(inventory, fabric, remote)

    async def _annotate(self, nodes: Mapping[str, Manifest], wanted: Mapping[str, str]) -> None:
        for name, manifest in nodes.items():
            annotations = manifest.body["metadata"].get("annotations", {})
            text = wanted.get(name, "")
            if annotations.get(ALLOTTED_ANNOTATION, "") != text:
                body = {"metadata": {"annotations": {ALLOTTED_ANNOTATION: text or None}}}
                await self._api.patch(NODES.path_of(name), body)

    async def _keep_pools(self, there: Mapping[str, Manifest], wanted: Mapping[str, Prefix]) -> None:
        for name, prefix in wanted.items():
            spec = pool_spec(prefix)
            if name not in there:
                await self._create(name, spec)
            elif _differs(there[name].body["spec"], spec):
                await self._api.patch(POOLS.path_of(name), {"spec": spec})
        for name, manifest in there.items():
            if name not in wanted and MANAGED_LABEL in manifest.body["metadata"].get("labels", {}):
                await self._delete(name)

    async def _create(self, name: str, spec: dict[str, Any]) -> None:
        labels = {MANAGED_LABEL: "", "app.kubernetes.io/managed-by": "orillo-cloud"}
        metadata = {"name": name, "labels": labels}
        body = {"apiVersion": POOLS.api_version, "kind": POOLS.kind.name, "metadata": metadata, "spec": spec}
        try:
            await self._api.create(POOLS.path, body)
        except ApiError as error:
            if error.status != _CONFLICT:  # the view will have it in a moment
                raise

    async def _delete(self, name: str) -> None:
        try:
            await self._api.delete(POOLS.path_of(name))
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise


def pool_spec(prefix: Prefix) -> dict[str, Any]:
    """A pool that Calico gives nothing out of, and neither masquerades to nor wraps."""
    return {
        "cidr": str(prefix),
        "blockSize": max(_BLOCK[prefix.version], prefix.prefixlen),
        "disabled": True,
        "natOutgoing": False,
        "ipipMode": "Never",
        "vxlanMode": "Never",
    }


def _differs(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """In what the view keeps of a pool; a field that is not there has the value that a new pool has."""
    return any(there.get(field, False) != wanted[field] for field in ("cidr", "disabled", "natOutgoing"))
