# SPDX-License-Identifier: Apache-2.0
"""Objects to put into the server."""

from typing import Any

NODES = "/api/v1/nodes"
SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
COMMUNITIES = "/apis/orillo.io/v1alpha1/communities"
DEVICES = "/apis/orillo.io/v1alpha1/devices"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
EDGE = {"node-role.kubernetes.io/edge": ""}


def node(
    name: str, prefix: str = "", labels: dict[str, str] | None = None, **annotations: str
) -> dict[str, Any]:
    """A Node, an edge by default."""
    metadata = {"name": name, "labels": EDGE if labels is None else labels}
    spec = {"podCIDR": prefix, "podCIDRs": [prefix]} if prefix else {}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec}


def service(name: str) -> dict[str, Any]:
    """A Service on port 80."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": [{"name": "http", "port": 80}]},
    }


def endpoint_slice(name: str, service_name: str, address: str, node_name: str = "") -> dict[str, Any]:
    """An EndpointSlice with one ready backend."""
    endpoint: dict[str, Any] = {"addresses": [address], "conditions": {"ready": True}}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service_name}},
        "addressType": "IPv4",
        "endpoints": [endpoint | ({"nodeName": node_name} if node_name else {})],
        "ports": [{"name": "http", "port": 80}],
    }


def community(name: str, *members: str) -> dict[str, Any]:
    """A Community of ours."""
    return {
        "apiVersion": "orillo.io/v1alpha1",
        "kind": "Community",
        "metadata": {"name": name},
        "spec": {"members": list(members)},
    }


def device(name: str, **spec: Any) -> dict[str, Any]:
    """A Device."""
    return {"apiVersion": "orillo.io/v1alpha1", "kind": "Device", "metadata": {"name": name}, "spec": spec}


def fabedge_definition() -> dict[str, Any]:
    """FabEdge's own definition of a Community, as far as we read it."""
    members = {"type": "array", "items": {"type": "string"}}
    spec = {"type": "object", "properties": {"members": members}}
    schema = {"type": "object", "properties": {"spec": spec}}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "Community", "plural": "communities", "singular": "community"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "communities.fabedge.io"},
        "spec": {"group": "fabedge.io", "scope": "Cluster", "names": names, "versions": [version]},
    }
