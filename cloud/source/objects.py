# SPDX-License-Identifier: Apache-2.0
"""The fields of each kind that the operator reads; what else an object carries is passed over here.

Meanings are those of the Kubernetes API reference; Community and Device are our own, the last ones FabEdge's
and Calico's.
"""

from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Annotated, Literal

import msgspec

from appliance.netcore.plan.values import Address, OnDown, Prefix, Protocol, Role, Uplink

PortNumber = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Transport = Literal["TCP", "UDP", "SCTP"]


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A part of a Kubernetes object, immutable, whose fields are called as Kubernetes calls them."""


class Metadata(_Part, frozen=True):
    """ObjectMeta."""

    name: str
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class NodeSpec(_Part, frozen=True):
    """`podCIDR` is the first of `podCIDRs`; old manifests have it alone."""

    pod_cidr: Prefix | None = msgspec.field(default=None, name="podCIDR")
    pod_cidrs: tuple[Prefix, ...] = msgspec.field(default=(), name="podCIDRs")

    @property
    def prefixes(self) -> tuple[Prefix, ...]:
        """The node's pod prefixes; none where Kubernetes has not given it any."""
        return self.pod_cidrs or ((self.pod_cidr,) if self.pod_cidr else ())


class NodeAddress(_Part, frozen=True):
    """One address of a node, by type (InternalIP, ExternalIP, Hostname, ...)."""

    type: str
    address: str

    def __post_init__(self) -> None:
        if self.type in ("InternalIP", "ExternalIP"):
            ip_address(self.address)


class NodeStatus(_Part, frozen=True):
    """What the node's kubelet says of it."""

    addresses: tuple[NodeAddress, ...] = ()

    def of_type(self, kind: str) -> tuple[Address, ...]:
        """The addresses of the type `kind`, which must be one whose addresses are IP addresses."""
        return tuple(ip_address(entry.address) for entry in self.addresses if entry.type == kind)


class Node(_Part, frozen=True):
    """`v1` Node."""

    metadata: Metadata
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class ServicePort(_Part, frozen=True):
    """One port of a service; the slices' port of the same name has its backends."""

    port: PortNumber
    name: str = ""
    protocol: Transport = "TCP"


class ServiceSpec(_Part, frozen=True):
    """`clusterIPs` holds `clusterIP` too; old manifests have the latter alone; `None` means headless."""

    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    cluster_ips: tuple[str, ...] = msgspec.field(default=(), name="clusterIPs")
    ports: tuple[ServicePort, ...] = ()
    session_affinity: Literal["None", "ClientIP"] = "None"
    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] = "ClusterIP"

    def __post_init__(self) -> None:
        _ = self.addresses  # reading them is the check of their form

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The service's cluster addresses; none for a headless one."""
        texts = self.cluster_ips or (self.cluster_ip,)
        return tuple(ip_address(text) for text in texts if text not in ("", "None"))

    @property
    def headless(self) -> bool:
        """Whether its name stands for its backends themselves."""
        return self.cluster_ip == "None" or "None" in self.cluster_ips


class Service(_Part, frozen=True):
    """`v1` Service."""

    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()


class Conditions(_Part, frozen=True):
    """An unknown readiness counts as ready, as the API asks of its readers."""

    ready: bool | None = None


class Endpoint(_Part, frozen=True):
    """One backend of a slice, of one or more interchangeable addresses."""

    addresses: tuple[str, ...]
    conditions: Conditions = Conditions()
    node_name: str = ""


class EndpointPort(_Part, frozen=True):
    """A port that every backend of the slice answers on; without a number it stands for all of them."""

    name: str = ""
    protocol: Transport = "TCP"
    port: PortNumber | None = None


class EndpointSlice(_Part, frozen=True):
    """`discovery.k8s.io/v1` EndpointSlice."""

    metadata: Metadata
    address_type: Literal["IPv4", "IPv6", "FQDN"]
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()

    def __post_init__(self) -> None:
        for endpoint in self.endpoints if self.address_type != "FQDN" else ():
            for address in endpoint.addresses:
                ip_address(address)


class CommunityPort(_Part, frozen=True, forbid_unknown_fields=True):
    """What the members may open to one another; `endPort` makes it a range, no port at all every port."""

    protocol: str = "TCP"
    port: PortNumber | None = None
    end_port: PortNumber | None = None

    def __post_init__(self) -> None:
        known = [str(protocol) for protocol in Protocol]
        if self.protocol.lower() not in known:
            raise ValueError(f"protocol {self.protocol!r} is none of {', '.join(known).upper()}")
        if self.protocol.lower() == Protocol.ICMP and self.port is not None:
            raise ValueError("ICMP has no ports")
        if self.end_port is not None and (self.port is None or self.end_port < self.port):
            raise ValueError("endPort needs a port that is not above it")


class Expression(_Part, frozen=True, forbid_unknown_fields=True):
    """One demand of a label selector, as in `metav1.LabelSelectorRequirement`."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.operator in ("In", "NotIn")) != bool(self.values):
            need = "at least one value" if not self.values else "no values"
            raise ValueError(f"operator {self.operator} needs {need}")

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels fulfils it."""
        if self.operator in ("Exists", "DoesNotExist"):
            return (self.key in labels) == (self.operator == "Exists")
        return (labels.get(self.key) in self.values) == (self.operator == "In")


class Selector(_Part, frozen=True, forbid_unknown_fields=True):
    """Nodes by their labels, as in `metav1.LabelSelector`; those of a Device count as its Node's."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[Expression, ...] = ()

    def __post_init__(self) -> None:
        if not (self.match_labels or self.match_expressions):
            raise ValueError("a selector without any demand would take every node: say which")

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is meant."""
        plain = all(labels.get(name) == text for name, text in self.match_labels.items())
        return plain and all(expression.holds(labels) for expression in self.match_expressions)


class MemberSet(_Part, frozen=True, forbid_unknown_fields=True):
    """Some nodes: by name (or FabEdge's `<cluster>.<node>`), by label, or both together."""

    members: tuple[str, ...] = ()
    selector: Selector | None = None

    def __post_init__(self) -> None:
        if not self.members and self.selector is None:
            raise ValueError("it names nobody: give members, a selector, or both")


class CommunitySpec(_Part, frozen=True, forbid_unknown_fields=True):
    """Who may open connections to whom, by which ports, and what holds while a tunnel is down.

    Either `members` (names of nodes, or FabEdge's `<cluster>.<node>`) and `selector` say whose connections
    to one another are allowed, in both directions; or `from` may open to `to`, and only answers come back.
    """

    members: tuple[str, ...] | None = None
    selector: Selector | None = None
    from_: MemberSet | None = msgspec.field(default=None, name="from")
    to: MemberSet | None = None
    ports: tuple[CommunityPort, ...] = ()
    on_tunnel_down: OnDown = OnDown.REFUSE

    def __post_init__(self) -> None:
        if (self.from_ is None) != (self.to is None):
            raise ValueError("`from` and `to` go together: give both, or members alone")
        if self.members is None and self.selector is None and self.from_ is None:
            raise ValueError("it names nobody: give `members`, a `selector`, or `from` and `to`")
        if self.from_ is not None and (self.members or self.selector):
            raise ValueError("members may open both ways, `from` to `to` one way: give the one or the other")


class Community(_Part, frozen=True):
    """`orillo.io/v1alpha1` or `fabedge.io/v1alpha1` Community: members that may reach one another."""

    metadata: Metadata
    spec: CommunitySpec


class DeviceSpec(_Part, frozen=True, forbid_unknown_fields=True):
    """What overrides the Node of the same name. `hubs` are connectors, the preferred one first.

    `uplink` is the kind of line to the internet, which sets how patient tunnels are. `lan` are prefixes of
    the site's own network whose hosts are in the fabric too; traffic to them comes from the device's address.
    """

    role: Role | None = None
    site: str = ""
    region: str = ""
    zone: str = ""
    public_addresses: tuple[str, ...] = ()
    hubs: tuple[str, ...] = ()
    cloud: Literal["allow", "deny"] = "allow"
    uplink: Uplink | None = None
    lan: tuple[Prefix, ...] = ()


class Device(_Part, frozen=True):
    """`orillo.io/v1alpha1` Device."""

    metadata: Metadata
    spec: DeviceSpec = DeviceSpec()


class FabedgeEndpoint(_Part, frozen=True):
    """A connector, or an exported edge, of a cluster that FabEdge knows."""

    name: str = ""
    subnets: tuple[str, ...] = ()


class FabedgeClusterSpec(_Part, frozen=True):
    """`cidrs` are the cluster's pods and services."""

    cidrs: tuple[str, ...] = ()
    endpoints: tuple[FabedgeEndpoint, ...] = ()

    @property
    def prefixes(self) -> tuple[Prefix, ...]:
        """All of the cluster's prefixes; what is none (FabEdge checks nothing) is left out."""
        texts = (*self.cidrs, *(subnet for endpoint in self.endpoints for subnet in endpoint.subnets))
        return tuple(dict.fromkeys(prefix for text in texts if (prefix := prefix_or_none(text))))


class FabedgeCluster(_Part, frozen=True):
    """`fabedge.io/v1alpha1` Cluster: another cluster that FabEdge was connected to."""

    metadata: Metadata
    spec: FabedgeClusterSpec = FabedgeClusterSpec()


class IPPoolSpec(_Part, frozen=True):
    """What Calico gives its pods addresses from; a disabled one only says what is not to be masqueraded."""

    cidr: Prefix
    disabled: bool = False
    nat_outgoing: bool = False


class IPPool(_Part, frozen=True):
    """`crd.projectcalico.org/v1` IPPool."""

    metadata: Metadata
    spec: IPPoolSpec


class IPAMBlockSpec(_Part, frozen=True):
    """A block of a pool; `affinity` is `host:<node>` where it is of one node."""

    cidr: Prefix
    affinity: str = ""
    deleted: bool = False

    @property
    def node(self) -> str:
        """The node whose pods have its addresses; empty if there is none."""
        kind, _, name = self.affinity.partition(":")
        return name if kind == "host" and not self.deleted else ""


class IPAMBlock(_Part, frozen=True):
    """`crd.projectcalico.org/v1` IPAMBlock."""

    metadata: Metadata
    spec: IPAMBlockSpec


def prefix_or_none(text: str) -> Prefix | None:
    """A prefix in the text of an annotation or of a foreign object; None if it is none."""
    try:
        return ip_network(text.strip())
    except ValueError:
        return None


class EnrollTokenSpec(_Part, frozen=True, forbid_unknown_fields=True):
    """`hash` is the SHA-256 (hex) of the token's secret, which stands nowhere.

    `name` is the device that it lets in, or a pattern such as `node-*` for `uses` devices.
    """

    hash: str
    name: str
    expires: datetime
    uses: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1


class EnrollToken(_Part, frozen=True):
    """`orillo.io/v1alpha1` EnrollToken, whose own name is the token's id."""

    metadata: Metadata
    spec: EnrollTokenSpec
