# SPDX-License-Identifier: Apache-2.0
"""Nodes and Devices of the manifests as the planner's nodes. A Device overrides the Node of its name."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address

from appliance.netcore.plan.identity import Place, is_name
from appliance.netcore.plan.values import Role, Uplink
from cloud.planner.model import Node
from cloud.planner.networks import ALLOTTED_ANNOTATION, PodNetwork, annotated, pod_prefixes
from cloud.planner.roles import RoleLabels, has_label
from cloud.source import objects

SITE_LABEL = "orillo.io/site"
REGION_LABEL = "topology.kubernetes.io/region"
ZONE_LABEL = "topology.kubernetes.io/zone"
ADDRESSES_ANNOTATION = "fabedge.io/node-public-addresses"

_NO_DEVICE = objects.DeviceSpec()


def read_nodes(
    nodes: Mapping[str, objects.Node],
    devices: Mapping[str, objects.Device],
    network: PodNetwork = PodNetwork(),  # noqa: B008 -- PodNetwork is immutable
    by: RoleLabels = RoleLabels(),  # noqa: B008 -- RoleLabels is immutable
) -> tuple[dict[str, Node], list[str]]:
    """The planner's nodes by name, and warnings. A Device with a role needs no Node."""
    found: dict[str, Node] = {}
    warnings: list[str] = []
    for name in sorted({*nodes, *devices}):
        spec = devices[name].spec if name in devices else _NO_DEVICE
        both = [objects_of[name].metadata.labels for objects_of in (nodes, devices) if name in objects_of]
        labels = {label: text for labels in both for label, text in labels.items()}
        if name in nodes:
            found[name] = replace(_read_node(nodes[name], spec, network, by), labels=labels)
        elif spec.role is not None:
            found[name] = replace(_overridden(Node(name, Place(spec.role, name)), spec), labels=labels)
        else:
            warnings.append(
                f"Device {name} has no Node and says no role: it gets no plan until it has either"
            )
    return found, warnings


def _read_node(node: objects.Node, spec: objects.DeviceSpec, network: PodNetwork, by: RoleLabels) -> Node:
    labels, name = node.metadata.labels, node.metadata.name
    role = by.role_of(labels)
    edge = (spec.role or role) is Role.EDGE
    place = Place(
        role=role,
        site=labels.get(SITE_LABEL, "") or name,
        region=labels.get(REGION_LABEL, ""),
        zone=labels.get(ZONE_LABEL, ""),
    )
    written = node.metadata.annotations.get(ADDRESSES_ANNOTATION, "").split(",")
    public = tuple(text.strip() for text in written if text.strip())
    external = tuple(str(address) for address in node.status.of_type("ExternalIP"))
    read = Node(
        name=name,
        place=place,
        addresses=public or external,
        underlay=node.status.of_type("InternalIP"),
        prefixes=pod_prefixes(node, network, edge=edge),
        cluster_network=network.calico and not edge,
        allotted=annotated(node, ALLOTTED_ANNOTATION),
    )
    return _overridden(read, spec)


def _overridden(node: Node, spec: objects.DeviceSpec) -> Node:
    place = Place(
        role=spec.role or node.place.role,
        site=spec.site or node.place.site,
        region=spec.region or node.place.region,
        zone=spec.zone or node.place.zone,
    )
    return replace(
        node,
        place=place,
        addresses=spec.public_addresses or node.addresses,
        # A site's LAN says nothing to others: two sites may have the same one.
        underlay=() if place.role is Role.EDGE else node.underlay,
        stands_in=node.underlay if place.role is Role.EDGE else (),
        uplink=spec.uplink or Uplink.WIRED,
        lan=spec.lan,
        hubs=spec.hubs,
        cloud=spec.cloud == "allow",
    )


def node_problems(nodes: Mapping[str, Node], every: Mapping[str, Node]) -> Iterator[str]:
    """What is wrong with `nodes` by themselves, among `every` node."""
    for name, node in nodes.items():
        if not is_name(name):
            yield f"Node {name}: its name is no DNS label: use at most 63 lower-case letters, digits and '-'"
        for address in node.addresses:
            if not _can_dial(address):
                yield f"Node {name}: its public address {address!r} is neither an IP address nor a DNS name"
        for hub in node.hubs:
            if hub not in every:
                yield f"Device {name} names the hub {hub}, and there is no node {hub}: correct spec.hubs"
            elif not every[hub].is_connector:
                role = every[hub].place.role
                yield f"Device {name} names the hub {hub}, whose role is {role}: name connectors in spec.hubs"


def node_warnings(nodes: Mapping[str, Node]) -> Iterator[str]:
    """What the owner should know of nodes that can be used, but not fully."""
    for name, node in nodes.items():
        if node.is_connector and not node.dial:
            yield f"connector {name} has no address, so that no edge can dial it: set {ADDRESSES_ANNOTATION}"
        elif node.is_connector and not node.addresses:
            yield f"connector {name} has no public address: edges dial its InternalIP {', '.join(node.dial)}"
        if not node.is_edge and not node.underlay:
            yield f"{node.place.role} {name} has no InternalIP: the cloud's nodes can't reach it directly"


def role_clashes(
    nodes: Mapping[str, objects.Node],
    devices: Mapping[str, objects.Device],
    by: RoleLabels = RoleLabels(),  # noqa: B008 -- RoleLabels is immutable
) -> Iterator[str]:
    """Nodes that are labelled as both edge and connector, with no Device to say which."""
    for name, node in nodes.items():
        decided = name in devices and devices[name].spec.role is not None
        labels = node.metadata.labels
        if not decided and has_label(labels, by.edge) and has_label(labels, by.connector):
            yield f"Node {name} is labelled as edge and as connector: take one of the two labels away"


def _can_dial(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        # A name of digits and dots only is a misspelt IPv4 address.
        return not address.replace(".", "").isdigit() and all(map(is_name, address.rstrip(".").split(".")))
    return True
