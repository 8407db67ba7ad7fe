# SPDX-License-Identifier: Apache-2.0
"""Objects to put into the server."""

from typing import Any

NODES = "/api/v1/nodes"
SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
COMMUNITIES = "/apis/orillo.io/v1alpha1/communities"
CLUSTERS = "/apis/orillo.io/v1alpha1/clusters"
FABEDGE_COMMUNITIES = "/apis/fabedge.io/v1alpha1/communities"
FABEDGE_CLUSTERS = "/apis/fabedge.io/v1alpha1/clusters"
POOLS = "/apis/crd.projectcalico.org/v1/ippools"
BLOCKS = "/apis/crd.projectcalico.org/v1/ipamblocks"
DEVICES = "/apis/orillo.io/v1alpha1/devices"
TOKENS = "/apis/orillo.io/v1alpha1/enrolltokens"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
EDGE = {"node-role.kubernetes.io/edge": ""}


def node(
    name: str,
    prefix: str = "",
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A Node, an edge by default."""
    metadata = {"name": name, "labels": EDGE if labels is None else labels}
    metadata |= {"annotations": annotations} if annotations else {}
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


def definition(plural: str, group: str, version: str, spec: dict[str, Any], **names: str) -> dict[str, Any]:
    """A cluster-wide CustomResourceDefinition with no status subresource."""
    schema = {"type": "object", "properties": {"spec": {"type": "object"} | spec}}
    kind = names["kind"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "versions": [
                {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}


def fabedge_definitions() -> list[dict[str, Any]]:
    """FabEdge's own definitions, with every field that those which it publishes have (v1.4), made by hand."""
    endpoint = {
        "id": _TEXT,
        "name": _TEXT,
        "nodeSubnets": _TEXTS,
        "publicAddresses": _TEXTS,
        "subnets": _TEXTS,
        "type": _TEXT,
    }
    endpoints = {"type": "array", "items": {"type": "object", "properties": endpoint}}
    cluster = {"properties": {"cidrs": _TEXTS, "endpoints": endpoints, "token": _TEXT}}
    return [
        definition(
            "communities", "fabedge.io", "v1alpha1", {"properties": {"members": _TEXTS}}, kind="Community"
        ),
        definition("clusters", "fabedge.io", "v1alpha1", cluster, kind="Cluster"),
    ]


def calico_definitions() -> list[dict[str, Any]]:
    """Calico's definitions of pools and blocks, by hand: the published fields, the required ones required."""
    mode = {"type": "string", "enum": ["Never", "Always", "CrossSubnet"], "default": "Never"}
    truth, number = {"type": "boolean"}, {"type": "integer"}
    pool = {
        "required": ["cidr"],
        "properties": {
            "allowedUses": _TEXTS,
            "blockSize": number,
            "cidr": _TEXT,
            "disableBGPExport": truth,
            "disabled": truth,
            "ipipMode": mode,
            "natOutgoing": truth,
            "nodeSelector": _TEXT,
            "vxlanMode": mode,
        },
    }
    numbers = {"type": "array", "items": number | {"nullable": True}}
    attributes = {"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    required = ["allocations", "attributes", "cidr", "sequenceNumber", "strictAffinity", "unallocated"]
    block = {
        "required": required,
        "properties": {
            "affinity": _TEXT,
            "allocations": numbers,
            "attributes": attributes,
            "cidr": _TEXT,
            "deleted": truth,
            "sequenceNumber": number,
            "strictAffinity": truth,
            "unallocated": numbers,
        },
    }
    group = "crd.projectcalico.org"
    return [
        definition("ippools", group, "v1", pool, kind="IPPool"),
        definition("ipamblocks", group, "v1", block, kind="IPAMBlock"),
    ]


def ip_pool(name: str, cidr: str) -> dict[str, Any]:
    """An IPPool of the cluster's owner."""
    spec = {"cidr": cidr, "natOutgoing": True, "ipipMode": "Always", "blockSize": 26}
    return {
        "apiVersion": "crd.projectcalico.org/v1",
        "kind": "IPPool",
        "metadata": {"name": name},
        "spec": spec,
    }


def ipam_block(name: str, cidr: str, node_name: str) -> dict[str, Any]:
    """A block that Calico gave to a node."""
    spec = {
        "cidr": cidr,
        "affinity": f"host:{node_name}",
        "allocations": [None, 0],
        "attributes": [{"handle_id": "x"}],
        "sequenceNumber": 1,
        "strictAffinity": False,
        "unallocated": [0],
    }
    metadata = {"name": name}
    return {"apiVersion": "crd.projectcalico.org/v1", "kind": "IPAMBlock", "metadata": metadata, "spec": spec}
