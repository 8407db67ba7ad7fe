# SPDX-License-Identifier: Apache-2.0
"""What the operator follows in a Kubernetes API, and how little of each object it keeps.

A cluster's objects are mostly other people's fields: managedFields, statuses, annotations of a dozen
controllers. An object is cut down to the fields that the planner reads as soon as it arrives, so that memory
does not grow with the rest, and a heartbeat that changes nothing of ours is no change.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from appliance.netcore.plan.identity import is_name
from appliance.netcore.plan.values import convert, decode, encode
from cloud.source import objects
from cloud.source.clusters import Cluster
from cloud.source.kinds import Kind, find_kind
from cloud.source.manifest import Manifest

#: Labels and annotations that the planner may read, by how their names begin.
_OURS = (
    "orillo.io/",
    "fabedge.io/",
    "node-role.kubernetes.io/",
    "topology.kubernetes.io/",
    "kubernetes.io/service-name",
)


class ObjectError(ValueError):
    """An object of the API that the operator can't use; the text says which, why, and what to do."""


@dataclass(frozen=True)
class Resource:
    """One collection of the API. `shape` has the fields that are kept of each object.

    `definition` is the CustomResourceDefinition that makes the collection, empty for the API's own.
    `selected`: communities may select these objects by any of their labels, so all of those are kept.
    """

    kind: Kind
    api_version: str
    shape: Any
    selector: str = ""
    definition: str = ""
    selected: bool = False

    @property
    def title(self) -> str:
        """What logs call it: `communities.orillo.io`, `nodes`."""
        group = self.api_version.rpartition("/")[0]
        return f"{self.kind.plural}.{group}" if group else self.kind.plural

    @property
    def path(self) -> str:
        """The collection over all namespaces."""
        return f"{_root(self.api_version)}/{self.kind.plural}"

    def path_of(self, name: str, namespace: str = "") -> str:
        """One object."""
        inside = f"/namespaces/{namespace}" if namespace else ""
        return f"{_root(self.api_version)}{inside}/{self.kind.plural}/{name}"

    def read(self, raw: bytes | msgspec.Raw) -> Manifest:
        """What is kept of an object of this collection. Raises `ObjectError`."""
        metadata = _identify(raw)
        title = f"{self.kind.name} {metadata.namespace + '/' if metadata.namespace else ''}{metadata.name}"
        try:
            kept = msgspec.json.decode(encode(_decode(bytes(raw), self.shape)))
        except (msgspec.MsgspecError, ValueError) as error:
            raise ObjectError(f"{title} can't be read: {error}: correct it") from error
        if self.kind.name in ("Node", "Device", "Cluster") and not is_name(metadata.name):
            raise ObjectError(
                f"{title} is left out: its name is no DNS label, and a device's name has to be one"
            )
        kept["metadata"] = _cut(kept["metadata"], () if self.selected else ("labels",))
        body = {"apiVersion": self.api_version, "kind": self.kind.name} | kept
        return Manifest(self.api_version, self.kind.name, metadata.namespace, metadata.name, body)

    def key(self, raw: bytes | msgspec.Raw) -> tuple[str, str, str]:
        """The key of an object, also of one that can't be read otherwise. Raises `ObjectError`."""
        metadata = _identify(raw)
        return (self.kind.name, metadata.namespace, metadata.name)


class _Identity(msgspec.Struct, frozen=True):
    name: str
    namespace: str = ""


class _Identified(msgspec.Struct, frozen=True):
    metadata: _Identity


def _identify(raw: bytes | msgspec.Raw) -> _Identity:
    try:
        return msgspec.json.decode(raw, type=_Identified).metadata
    except msgspec.MsgspecError as error:
        raise ObjectError(f"an object without a name: {error}: is this a Kubernetes API?") from error


def _decode(raw: bytes, shape: Any) -> Any:
    try:
        return decode(raw, shape)
    except msgspec.ValidationError:
        # An API server writes `"endpoints": null` for a list that was never made.
        return convert(_without_nulls(msgspec.json.decode(raw)), shape)


def _without_nulls(value: Any) -> Any:
    """Plain JSON in which a null field is one that is not there, as in manifests that are applied."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _cut(metadata: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """Metadata with the annotations of ours alone, and of `fields` also only what is ours."""
    cut = dict(metadata)
    for field in ("annotations", *fields):
        ours = {name: text for name, text in metadata.get(field, {}).items() if name.startswith(_OURS)}
        cut.pop(field, None)
        if ours:
            cut[field] = ours
    return cut


def _custom(name: str, api_version: str, shape: Any, *, selected: bool = False) -> Resource:
    kind, group = find_kind(name), api_version.partition("/")[0]
    return Resource(kind, api_version, shape, definition=f"{kind.plural}.{group}", selected=selected)


NODES = Resource(find_kind("node"), "v1", objects.Node, selected=True)
DEVICES = _custom("device", "orillo.io/v1alpha1", objects.Device, selected=True)
COMMUNITIES = _custom("community", "orillo.io/v1alpha1", objects.Community)
CLUSTERS = _custom("cluster", "orillo.io/v1alpha1", Cluster)
FABEDGE_COMMUNITIES = _custom("community", "fabedge.io/v1alpha1", objects.Community)
FABEDGE_CLUSTERS = _custom("cluster", "fabedge.io/v1alpha1", objects.FabedgeCluster)
BLOCKS = _custom("ipamblock", "crd.projectcalico.org/v1", objects.IPAMBlock)
POOLS = _custom("ippool", "crd.projectcalico.org/v1", objects.IPPool)

#: All that is followed. Of two objects with the same key, the one of the resource that stands later counts.
RESOURCES = (
    NODES,
    Resource(find_kind("service"), "v1", objects.Service),
    # A slice that belongs to no service has no meaning to us.
    Resource(
        find_kind("endpointslice"), "discovery.k8s.io/v1", objects.EndpointSlice, "kubernetes.io/service-name"
    ),
    POOLS,
    BLOCKS,
    FABEDGE_CLUSTERS,
    FABEDGE_COMMUNITIES,
    COMMUNITIES,
    CLUSTERS,
    DEVICES,
)
