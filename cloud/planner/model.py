# SPDX-License-Identifier: Apache-2.0
"""What exists and what its owner wants, as the planner sees it."""

from dataclasses import dataclass, field

from appliance.netcore.plan.identity import Place
from appliance.netcore.plan.model import PortRange
from appliance.netcore.plan.values import Address, Prefix, Protocol, Role


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
    """

    name: str
    place: Place
    addresses: tuple[str, ...] = ()
    underlay: tuple[Address, ...] = ()
    prefixes: tuple[Prefix, ...] = ()
    hubs: tuple[str, ...] = ()
    cloud: bool = True

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
    """A service with its ready backends; a headless one has no address, its name stands for the backends."""

    namespace: str
    name: str
    addresses: tuple[Address, ...]
    ports: tuple[NamedPort, ...]
    backends: tuple[Backend, ...] = ()
    headless: bool = False
    strict: bool = False
    client_affinity: bool = False


@dataclass(frozen=True)
class Community:
    """Members that may reach one another, by the ports in `allow`, or by all if it is empty.

    A member is a node's name, or FabEdge's `<cluster>.<node>`.
    """

    name: str
    members: tuple[str, ...]
    allow: tuple[PortRange, ...] = ()

    @property
    def group(self) -> str:
        """What the policy's rules call its members."""
        return f"community:{self.name}"

    def nodes(self, cluster: str) -> frozenset[str]:
        """The members that are nodes of `cluster`; those of other clusters are nothing to it."""
        split = [member.rpartition(".") for member in self.members]
        return frozenset(node for owner, _, node in split if owner in ("", cluster))


@dataclass(frozen=True)
class Inventory:
    """All of it, by name (services by `namespace/name`). `warnings` are sentences for its owner."""

    nodes: dict[str, Node] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    communities: dict[str, Community] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
