# SPDX-License-Identifier: Apache-2.0
"""What exists and what its owner wants, as the planner sees it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from appliance.netcore.plan.identity import Place
from appliance.netcore.plan.model import PortRange
from appliance.netcore.plan.values import Address, OnDown, Prefix, Protocol, Role, Uplink
from cloud.source.clusters import ClusterDocument


class InventoryError(ValueError):
    """Manifests that contradict one another; `problems` has a sentence for each contradiction."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True)
class Node:
    """A device-to-be. `prefixes` are those that its manifest fixes; without any, they are allotted.

    `addresses` are where others dial it from afar, `underlay` is where it stands in the cloud's network.
    `hubs` are the connectors that it prefers, in order; `cloud` is whether it may talk to the cloud.
    `lan` are prefixes of its site that are in the fabric; `labels` are what selectors look at. `stands_in`
    are an edge's own addresses in its site's network: they mean nothing to others, but must not clash.
    `cluster_network`: its pods are the cluster's own network's, which says their prefixes when it has any.
    `allotted` is what an operator gave it before, as its Node remembers.
    """

    name: str
    place: Place
    addresses: tuple[str, ...] = ()
    underlay: tuple[Address, ...] = ()
    prefixes: tuple[Prefix, ...] = ()
    hubs: tuple[str, ...] = ()
    cloud: bool = True
    uplink: Uplink = Uplink.WIRED
    lan: tuple[Prefix, ...] = ()
    stands_in: tuple[Address, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    cluster_network: bool = False
    allotted: tuple[Prefix, ...] = ()

    @property
    def is_edge(self) -> bool:
        """Whether it is the gateway of a site, and not of the cloud."""
        return self.place.role is Role.EDGE

    @property
    def is_connector(self) -> bool:
        """Whether tunnels end at it."""
        return self.place.role is Role.CONNECTOR

    @property
    def dial(self) -> tuple[str, ...]:
        """Where IKE reaches it: its public addresses, or those in the cloud's network if it has none."""
        return self.addresses or tuple(str(address) for address in self.underlay)


@dataclass(frozen=True)
class NamedPort:
    """A port of a service or of its backends; both have the same name."""

    name: str
    protocol: Protocol
    port: int


@dataclass(frozen=True)
class Backend:
    """One ready backend of a service; `node` is empty where nobody says where it runs."""

    address: Address
    node: str
    ports: tuple[NamedPort, ...]


@dataclass(frozen=True)
class Service:
    """A service with its ready backends; a headless one has no address, its name stands for the backends.

    `everywhere` is whether other clusters may use it, and its name in `svc.global` stands for all of theirs.
    """

    namespace: str
    name: str
    addresses: tuple[Address, ...]
    ports: tuple[NamedPort, ...]
    backends: tuple[Backend, ...] = ()
    headless: bool = False
    strict: bool = False
    client_affinity: bool = False
    everywhere: bool = False


@dataclass(frozen=True)
class Community:
    """Members that may reach one another, by the ports in `allow`, or by all if it is empty.

    A member is a node's name, or FabEdge's `<cluster>.<node>`. Of a one-way community `senders` may open
    connections to `receivers`, and `members` are both. `on_down` is for traffic while a tunnel is down.
    """

    name: str
    members: tuple[str, ...]
    allow: tuple[PortRange, ...] = ()
    senders: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    on_down: OnDown = OnDown.REFUSE

    @property
    def one_way(self) -> bool:
        """Whether only some of the members may open connections."""
        return bool(self.senders or self.receivers)

    @property
    def source(self) -> str:
        """What the policy's rules call those who may open connections."""
        return f"from:{self.name}" if self.one_way else self.group

    @property
    def destination(self) -> str:
        """What the policy's rules call those to whom."""
        return f"to:{self.name}" if self.one_way else self.group

    @property
    def group(self) -> str:
        """What the policy's rules call the members that may open both ways; also the rule's own name."""
        return f"community:{self.name}"

    def nodes(self, cluster: str) -> frozenset[str]:
        """The members that are nodes of `cluster`; those of other clusters are nothing to it."""
        return local_names(self.members, cluster)

    def opening(self, cluster: str) -> frozenset[str]:
        """Those of its nodes that may open connections."""
        return local_names(self.senders if self.one_way else self.members, cluster)

    def answering(self, cluster: str) -> frozenset[str]:
        """Those of its nodes to which connections may be opened."""
        return local_names(self.receivers if self.one_way else self.members, cluster)


def local_names(members: Iterable[str], cluster: str) -> frozenset[str]:
    """The nodes of `cluster` among members that may be named as `<cluster>.<node>`."""
    split = [member.rpartition(".") for member in members]
    return frozenset(node for owner, _, node in split if owner in ("", cluster))


@dataclass(frozen=True)
class Pool:
    """An IPPool of Calico. Ours are disabled, and only say what is not to be masqueraded."""

    prefix: Prefix
    ours: bool


@dataclass(frozen=True)
class Inventory:
    """All of it, by name (services by `namespace/name`). `warnings` are sentences for its owner.

    `clusters` are the prefixes of the clusters that FabEdge connected to this one, `pools` are Calico's.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    communities: dict[str, Community] = field(default_factory=dict)
    clusters: dict[str, tuple[Prefix, ...]] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    others: dict[str, ClusterDocument] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
