# SPDX-License-Identifier: Apache-2.0
"""All that plans are made from, with the few things that every part of a plan asks of it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.plan.model import Service as PlanService
from appliance.netcore.plan.values import Address, Prefix, Role, host_prefix
from cloud.planner.allocation import Allocation
from cloud.planner.blocks import Claims
from cloud.planner.fabric import Fabric
from cloud.planner.model import Backend, Community, Inventory, Node

#: How many peers kept frames may have together; each takes some hundred bytes.
_ROOM = 400_000


@dataclass
class View:
    """What all devices of one sort see alike of the services, by `namespace/name` and by DNS name."""

    services: dict[str, PlanService] = field(default_factory=dict)
    records: dict[str, tuple[Address, ...]] = field(default_factory=dict)


class World:
    """The inventory, the settings, who holds what, who is enrolled, and indexes over them.

    Whoever changes one of the mappings that it was made of tells it so by `renew_...`; the indexes follow.
    """

    def __init__(
        self,
        inventory: Inventory,
        fabric: Fabric,
        allocations: Mapping[str, Allocation],
        identities: Mapping[str, Identity],
    ) -> None:
        self.inventory = inventory
        self.fabric = fabric
        self.allocations = allocations
        self.identities = identities
        #: The devices that have a plan and are peers: enrolled, and still in the inventory.
        self.devices: dict[str, Node] = {}
        #: The connectors among them that edges can dial.
        self.hubs: tuple[str, ...] = ()
        #: What was worked out once and is the same for many: groups, peers by whose they are, services.
        self.groups: dict[str, tuple[str, ...]] = {}
        self.seen_peers: dict[str, dict[object, Peer]] = {}
        self.views: dict[tuple[Role, str, bool, bool], View] = {}
        #: Plans without what services have a part in: a service that changes leaves them as they are.
        self.frames: dict[str, Plan] = {}
        self._room = _ROOM
        self._by_role: dict[Role, dict[str, Node]] = {role: {} for role in Role}
        self._sites: dict[str, set[str]] = {}
        self._communities: dict[str, dict[str, Community]] = {}
        self._opening: dict[str, dict[str, Community]] = {}
        self._answering: dict[str, dict[str, Community]] = {}
        self._members: dict[str, frozenset[str]] = {}
        self._claims = Claims()
        self._placed: dict[str, tuple[Node, tuple[Prefix, ...]]] = {}
        self._outside: dict[bool, dict[Prefix, None]] = {True: {}, False: {}}
        self._services_at: dict[str, set[str]] = {}
        self._homes: dict[str, dict[Backend, tuple[str, bool]]] = {}
        self._ranges = Claims()
        for pool, what in fabric.ranges.items():
            self._ranges.claim(pool, what)
        for prefix in (prefix for prefixes in inventory.clusters.values() for prefix in prefixes):
            if not self._is_covered(prefix):
                self._outside[True][prefix] = self._outside[False][prefix] = None
        self.renew_nodes(inventory.nodes)
        for name in inventory.communities:
            self.renew_community(name)
        for key in inventory.services:
            self.renew_service(key)

    def renew_nodes(self, names: Iterable[str]) -> None:
        """The nodes, what they hold or their enrolments are others, or they are gone."""
        ordered = sorted(names)
        if ordered:
            self._forget_frames()
        for name in ordered:  # all of them first: one may hold now what another one held before
            self._displace(name)
        for name in ordered:
            node, held = self.inventory.nodes.get(name), self.allocations.get(name)
            if node is not None and held is not None:
                self._place(node, held)

    def keep_frame(self, name: str, frame: Plan) -> None:
        """Remember it until nodes or communities are others, if all of them together are not too large."""
        if len(frame.peers) <= self._room:
            self._room -= len(frame.peers)
            self.frames[name] = frame

    def _forget_frames(self) -> None:
        self.frames.clear()
        self._room = _ROOM

    def renew_community(self, name: str) -> None:
        """The community is another, or gone."""
        self.groups.clear()
        self._forget_frames()
        for node in self._members.pop(name, frozenset()):
            for index in (self._communities, self._opening, self._answering):
                index.get(node, {}).pop(name, None)
        community = self.inventory.communities.get(name)
        if community is None:
            return
        cluster = self.fabric.cluster
        self._members[name] = community.nodes(cluster)
        for names, index in (
            (self._members[name], self._communities),
            (community.opening(cluster), self._opening),
            (community.answering(cluster), self._answering),
        ):
            for node in names:
                index.setdefault(node, {})[name] = community

    def renew_service(self, key: str) -> bool:
        """The service is another or gone, or nodes are; whether a backend that stays is elsewhere now."""
        before = self._homes.pop(key, {})
        for home in _places(before):
            self._services_at[home].discard(key)
        service = self.inventory.services.get(key)
        if service is None:
            return False
        self._homes[key] = homes = {backend: self._find(backend) for backend in service.backends}
        for home in _places(homes):
            self._services_at.setdefault(home, set()).add(key)
        return any(before.get(backend, home) != home for backend, home in homes.items())

    def communities_of(self, node: Node) -> tuple[Community, ...]:
        """The communities that `node` is in, by name."""
        found = self._communities.get(node.name)
        return tuple(found[name] for name in sorted(found)) if found else ()

    def groups_of(self, node: Node) -> tuple[str, ...]:
        """What the rules of its communities call `node`."""
        opening, answering = self._opening.get(node.name, {}), self._answering.get(node.name, {})
        groups = [opening[name].source for name in sorted(opening)]
        groups += [answering[name].destination for name in sorted(answering)]
        return tuple(dict.fromkeys(groups))

    def opens(self, one: Node, other: Node) -> tuple[Community, ...]:
        """The communities that let `one` open connections to `other`."""
        theirs, ours = self._answering.get(other.name), self._opening.get(one.name)
        if not theirs or not ours:
            return ()
        return tuple(ours[name] for name in sorted(ours.keys() & theirs.keys()))

    def shared(self, one: Node, other: Node) -> tuple[Community, ...]:
        """The communities that let at least one of the two open connections to the other, by name."""
        found = {community.name: community for community in self.opens(one, other)}
        found |= {community.name: community for community in self.opens(other, one)}
        return tuple(community for _, community in sorted(found.items()))

    def members(self, community: str) -> frozenset[str]:
        """The nodes in a community, known or not."""
        return self._members.get(community, frozenset())

    def of_role(self, *roles: Role) -> Iterator[Node]:
        """The devices of these roles."""
        for role in roles:
            yield from self._by_role[role].values()

    def companions(self, node: Node) -> Iterator[Node]:
        """The devices that share a community with `node`; one that shares several comes several times."""
        for name in self._communities.get(node.name, {}):
            yield from (self.devices[member] for member in self._members[name] if member in self.devices)

    def at_site(self, site: str) -> set[str]:
        """The nodes of a site."""
        return self._sites.get(site, set())

    def services_at(self, home: str) -> set[str]:
        """The services with a backend at this node; with an empty name, those with a stray one."""
        return self._services_at.get(home, set())

    def outside(self, *, edges_only: bool) -> tuple[Prefix, ...]:
        """Prefixes of nodes outside the fabric's ranges: they too never leave a device in clear.

        In the cloud that goes for those of edges only: a cloud's node may reach another one that is not
        enrolled by the cluster's own network.
        """
        found = self._outside[edges_only]
        return tuple(sorted(found, key=lambda prefix: (prefix.version, int(prefix.network_address))))

    def hub_order(self, node: Node) -> tuple[str, ...]:
        """The hubs of `node`, best first: those it prefers, then the rest by rendezvous hash.

        So every node has an order of its own, which a hub that comes or goes does not upset
        (Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998).
        """
        preferred = tuple(dict.fromkeys(hub for hub in node.hubs if hub in self.hubs))
        rest = [hub for hub in self.hubs if hub not in preferred]
        return (*preferred, *sorted(rest, key=lambda hub: _weight(node.name, hub), reverse=True))

    def home(self, backend: Backend) -> Node | None:
        """The node that a backend's address belongs to; None for an address in nobody's prefixes."""
        found = self._claims.holder(host_prefix(backend.address))
        return self._placed[found[1]][0] if found else None

    def whereabouts(self, backend: Backend) -> str:
        """The name of the node that a backend is at, by its address or else by what is said of it."""
        return self._find(backend)[0]

    def _find(self, backend: Backend) -> tuple[str, bool]:
        """Where a backend is, and whether that is known by its address."""
        home = self.home(backend)
        return (home.name, True) if home else (backend.node, False)

    def _place(self, node: Node, held: Allocation) -> None:
        name = node.name
        prefixes = (*held.prefixes, *node.lan)
        claimed = tuple(prefix for prefix in prefixes if self._claims.claim(prefix, name) is None)
        self._placed[name] = (node, claimed)
        self._sites.setdefault(node.place.site, set()).add(name)
        for prefix in claimed:
            if not self._is_covered(prefix):
                self._outside[False][prefix] = None
                if node.is_edge:
                    self._outside[True][prefix] = None
        if name in self.identities and held.overlay:
            self.devices[name] = self._by_role[node.place.role][name] = node
            self._find_hubs(node)

    def _displace(self, name: str) -> None:
        self.seen_peers.pop(name, None)
        self.groups.pop(name, None)
        if name not in self._placed:
            return
        node, claimed = self._placed.pop(name)
        self._sites[node.place.site].discard(name)
        for prefix in claimed:
            self._claims.release(prefix)
            for outside in self._outside.values():
                outside.pop(prefix, None)
        if self.devices.pop(name, None):
            del self._by_role[node.place.role][name]
            self._find_hubs(node)

    def _find_hubs(self, changed: Node) -> None:
        if changed.is_connector:
            connectors = sorted(self._by_role[Role.CONNECTOR].items())
            self.hubs = tuple(name for name, node in connectors if node.dial)

    def _is_covered(self, prefix: Prefix) -> bool:
        pool = self._ranges.holder(prefix)
        return pool is not None and pool[0].prefixlen <= prefix.prefixlen


def _places(homes: Mapping[Backend, tuple[str, bool]]) -> set[str]:
    """Under which names a service is found; a stray backend is under the empty one too."""
    return {name for name, _ in homes.values()} | {"" for _, known in homes.values() if not known}


def _weight(device: str, hub: str) -> bytes:
    return sha256(f"{device}\0{hub}".encode()).digest()
