# SPDX-License-Identifier: Apache-2.0
"""All that plans are made from, with the few things that every part of a plan asks of it."""

from collections.abc import Mapping
from hashlib import sha256

from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.values import Address, host_prefix
from cloud.planner.allocation import Allocation
from cloud.planner.blocks import Claims
from cloud.planner.fabric import Fabric
from cloud.planner.model import Backend, Community, Inventory, Node


class World:
    """A frozen view: the inventory, the settings, who holds what, and who is enrolled."""

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
        present = [(name, node) for name, node in sorted(inventory.nodes.items()) if name in allocations]
        #: The devices that have a plan and are peers: enrolled, and still in the inventory.
        self.devices: dict[str, Node] = {name: node for name, node in present if name in identities}
        #: The connectors among them that edges can dial.
        self.hubs = tuple(name for name, node in self.devices.items() if node.is_connector and node.dial)
        self._communities: dict[str, dict[str, Community]] = {}
        self._opening: dict[str, dict[str, Community]] = {}
        self._answering: dict[str, dict[str, Community]] = {}
        for _, community in sorted(inventory.communities.items()):
            for names, index in (
                (community.nodes(fabric.cluster), self._communities),
                (community.opening(fabric.cluster), self._opening),
                (community.answering(fabric.cluster), self._answering),
            ):
                for name in names:
                    index.setdefault(name, {})[community.name] = community
        self._homes = self._find_homes(dict(present))

    def communities_of(self, node: Node) -> tuple[Community, ...]:
        """The communities that `node` is in, by name."""
        return tuple(self._communities.get(node.name, {}).values())

    def groups_of(self, node: Node) -> tuple[str, ...]:
        """What the rules of its communities call `node`."""
        opening, answering = self._opening.get(node.name, {}), self._answering.get(node.name, {})
        groups = [community.source for community in opening.values()]
        groups += [community.destination for community in answering.values()]
        return tuple(dict.fromkeys(groups))

    def opens(self, one: Node, other: Node) -> tuple[Community, ...]:
        """The communities that let `one` open connections to `other`."""
        theirs = self._answering.get(other.name, {})
        ours = self._opening.get(one.name, {})
        return tuple(community for name, community in ours.items() if name in theirs)

    def shared(self, one: Node, other: Node) -> tuple[Community, ...]:
        """The communities that let at least one of the two open connections to the other, by name."""
        found = {community.name: community for community in self.opens(one, other)}
        found |= {community.name: community for community in self.opens(other, one)}
        return tuple(community for _, community in sorted(found.items()))

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
        return self._homes.get(backend.address)

    def _find_homes(self, nodes: Mapping[str, Node]) -> dict[Address, Node]:
        """Looked up once, since every plan asks for all of them."""
        claims = Claims()
        for name in nodes:
            for prefix in (*self.allocations[name].prefixes, *nodes[name].lan):
                claims.claim(prefix, name)
        backends = [b.address for service in self.inventory.services.values() for b in service.backends]
        owners = {address: claims.holder(host_prefix(address)) for address in backends}
        return {address: nodes[owner[1]] for address, owner in owners.items() if owner}


def _weight(device: str, hub: str) -> bytes:
    return sha256(f"{device}\0{hub}".encode()).digest()
