# SPDX-License-Identifier: Apache-2.0
"""The closed form of each kind: every field that the Kubernetes API has near the top, and no other.

A manifest with a field outside it has a typing mistake in it, and is refused as `kubectl --validate=strict`
would. Fields deeper down that the operator does not read are left alone.
"""

from types import GenericAlias
from typing import Any

import msgspec

from cloud.source import clusters, objects


def _closed(base: type[msgspec.Struct], also: str = "", **nested: Any) -> Any:
    """`base`, closed: with the fields named in `also` (of any type), and those of `nested` closed as well."""
    fields: list[Any] = [(name, Any, None) for name in also.split()]
    inherited = {field.name: field for field in msgspec.structs.fields(base)}
    for name, kind in nested.items():
        field = inherited[name]
        fields.append((name, kind) if field.required else (name, kind, field.default))
    return msgspec.defstruct(
        base.__name__, fields, bases=(base,), frozen=True, kw_only=True, forbid_unknown_fields=True
    )


def _list_of(kind: Any) -> Any:
    return GenericAlias(tuple, (kind, ...))


_TOP = "apiVersion kind status"

_METADATA = _closed(
    objects.Metadata,
    "generateName selfLink uid resourceVersion generation creationTimestamp deletionTimestamp "
    "deletionGracePeriodSeconds ownerReferences finalizers managedFields clusterName",
)
_NODE_SPEC = _closed(objects.NodeSpec, "providerID unschedulable taints configSource externalID")
_SERVICE_SPEC = _closed(
    objects.ServiceSpec,
    "selector externalIPs loadBalancerIP loadBalancerSourceRanges externalName externalTrafficPolicy "
    "healthCheckNodePort publishNotReadyAddresses sessionAffinityConfig ipFamilies ipFamilyPolicy "
    "allocateLoadBalancerNodePorts loadBalancerClass internalTrafficPolicy trafficDistribution topologyKeys",
    ports=_list_of(_closed(objects.ServicePort, "appProtocol targetPort nodePort")),
)
_ENDPOINT = _closed(
    objects.Endpoint,
    "hostname targetRef deprecatedTopology zone hints",
    conditions=_closed(objects.Conditions, "serving terminating"),
)
_ENDPOINT_PORT = _closed(objects.EndpointPort, "appProtocol")

#: The closed form by kind, or by kind and version where a version is another thing altogether.
SCHEMAS: dict[str, Any] = {
    "Node": _closed(objects.Node, "apiVersion kind", metadata=_METADATA, spec=_NODE_SPEC),
    "Service": _closed(objects.Service, _TOP, metadata=_METADATA, spec=_SERVICE_SPEC),
    "EndpointSlice": _closed(
        objects.EndpointSlice,
        "apiVersion kind",
        metadata=_METADATA,
        endpoints=_list_of(_ENDPOINT),
        ports=_list_of(_ENDPOINT_PORT),
    ),
    "Community": _closed(objects.Community, _TOP, metadata=_METADATA),
    "Cluster fabedge.io/v1alpha1": _closed(objects.FabedgeCluster, _TOP, metadata=_METADATA),
    "IPPool": _closed(objects.IPPool, _TOP, metadata=_METADATA),
    "IPAMBlock": _closed(objects.IPAMBlock, _TOP, metadata=_METADATA),
    "Cluster": _closed(clusters.Cluster, "apiVersion kind", metadata=_METADATA),
    "Device": _closed(objects.Device, _TOP, metadata=_METADATA),
}
