# SPDX-License-Identifier: Apache-2.0
"""Other clusters in a plan: their gateways as peers, and the services that they and we offer to one another.

A cluster knows another's connectors and nothing behind them. Each connector is a gateway: a port of its
overlay address stands for a service, and it goes on to the backends as it would for its own cluster. So two
clusters may have equal prefixes, and neither's edges, nodes or owners are the other's business.
"""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from appliance.netcore.plan.model import Backend, Peer, Plan, Rule, Service, ServicePort
from appliance.netcore.plan.values import OnDown, Path, Protocol, Role, Tier
from cloud.planner.model import Node
from cloud.planner.numbers import numbered
from cloud.planner.policy import CLOUD, EDGE
from cloud.planner.services import backend_name, port_name
from cloud.planner.world import World
from cloud.source.clusters import ClusterDocument, Gateway, OfferedPort

#: The domain of services that several clusters answer for.
DOMAIN = "svc.global"
_FIRST_PORT, _PORTS = 20000, 10000
#: As many addresses of a global range as are used.
_MOST = 1 << 16

Documents = Mapping[str, ClusterDocument]


def offer(world: World, ca: tuple[str, ...]) -> ClusterDocument:
    """What our cluster tells every other."""
    gateways = {
        name: Gateway(
            ike_id=world.identities[name].ike_id,
            addresses=world.devices[name].dial,
            overlay=world.allocations[name].overlay,
        )
        for name in world.hubs
    }
    ports = _gateway_ports(world)
    services: dict[str, dict[str, OfferedPort]] = {}
    for (key, name), number in sorted(ports.items()):
        service = world.inventory.services[key]
        port = next(port for port in service.ports if port_name(port) == name)
        offered = OfferedPort(
            protocol=port.protocol.upper(),  # type: ignore[arg-type]
            port=port.port,
            gateway=number,
            families=tuple(sorted({backend.address.version for backend in service.backends})),
        )
        services.setdefault(key, {})[name] = offered
    return ClusterDocument(cluster=world.fabric.cluster, ca=ca, gateways=gateways, services=services)


def with_clusters(plan: Plan, world: World, node: Node) -> Plan:
    """The plan of `node` with all that it has to know of other clusters; as it is where there is none."""
    documents = world.inventory.others
    if not documents or not (world.hubs or node.is_connector):
        return plan
    peers = dict(_peers(world, node, documents))
    if not peers and not node.is_connector:
        return plan
    services = dict(_global_services(plan, world, documents, peers))
    records = {_record(name): service.addresses for name, service in services.items()}
    ranges = world.fabric.global_ranges
    return replace(
        plan,
        fabric=(*plan.fabric, *ranges),
        service_range=(*plan.service_range, *ranges),
        peers=plan.peers | peers,
        policy=plan.policy | _policy(node, {peer.cluster for peer in peers.values()}),
        services=plan.services
        | {f"{name}.global": service for name, service in services.items()}
        | dict(_gateway_services(plan, world, node)),
        dns=replace(plan.dns, records=plan.dns.records | records),
    )


def _record(service: str) -> str:
    """The name of a service, which is given as `namespace/name`, in all clusters."""
    namespace, _, name = service.partition("/")
    return f"{name}.{namespace}.{DOMAIN}"


def peer_name(cluster: str, gateway: str) -> str:
    """What plans call another cluster's gateway."""
    return f"{cluster}--{gateway}"


def _peers(world: World, node: Node, documents: Documents) -> Iterator[tuple[str, Peer]]:
    """A connector has a tunnel to every gateway; for all others they stand behind a connector of ours."""
    if node.is_edge and not node.cloud:
        return
    ways = [world.inventory.nodes[hub].underlay for hub in world.hub_order(node)]
    underlay = next((way for way in ways if way), ())
    for cluster, document in sorted(documents.items()):
        for name, gateway in sorted(document.gateways.items()):
            peer = Peer(
                role=Role.CONNECTOR if node.is_connector else Role.CLOUD_NODE,
                ike_id=gateway.ike_id,
                overlay=gateway.overlay,
                groups=(_group(cluster),),
                paths=(Path.HUB,) if node.is_connector or node.is_edge else (Path.UNDERLAY,),
                addresses=gateway.addresses if node.is_connector else (),
                underlay=() if node.is_connector or node.is_edge else underlay,
                # One that is out of reach is passed over, whatever its operator says or does not say.
                on_down=OnDown.REFUSE if node.is_connector else OnDown.SPILL,
                cluster=cluster,
                ca=document.ca if node.is_connector else (),
            )
            yield peer_name(cluster, name), peer


def _group(cluster: str) -> str:
    return f"cluster:{cluster}"


def _policy(node: Node, clusters: set[str]) -> dict[str, Rule]:
    """Ours may use what other clusters offer; what they use here came through a gateway's port."""
    rules = {}
    for cluster in clusters:
        group = _group(cluster)
        for source in (EDGE, CLOUD) if node.is_connector else (EDGE,) if node.is_edge else (CLOUD,):
            rules[f"{source}-to-{group}"] = Rule(source=source, destination=group)
            if node.is_connector:
                rules[f"{group}-to-{source}"] = Rule(source=group, destination=source)
    return dict(sorted(rules.items()))


def _global_services(
    plan: Plan, world: World, documents: Documents, peers: Mapping[str, Peer]
) -> Iterator[tuple[str, Service]]:
    """Every service that anybody offers, with our own backends first."""
    ours = {key for key, service in world.inventory.services.items() if service.everywhere}
    names = ours.union(*(document.services for document in documents.values()))
    ranges = world.fabric.global_ranges
    counts = {pool: min(_MOST, pool.num_addresses) - 2 for pool in ranges}
    places = {pool: numbered(names, count) for pool, count in counts.items()}
    for name in sorted(names):
        addresses = tuple(pool[1 + found[name]] for pool, found in places.items() if name in found)
        own = plan.services[name].ports if name in ours and name in plan.services else {}
        ports = dict(own)
        for cluster, document in sorted(documents.items()):
            for port, offered in document.services.get(name, {}).items():
                there = ports.get(port, _bare(offered))
                far = dict(_far(cluster, document, offered, peers))
                ports[port] = replace(there, backends=there.backends | far)
        answered = {backend.address.version for port in ports.values() for backend in port.backends.values()}
        usable = tuple(address for address in addresses if address.version in answered)
        if addresses and ports:
            yield name, Service(addresses=usable or addresses, ports=dict(sorted(ports.items())))


def _bare(offered: OfferedPort) -> ServicePort:
    return ServicePort(protocol=Protocol(offered.protocol.lower()), port=offered.port)


def _far(
    cluster: str, document: ClusterDocument, offered: OfferedPort, peers: Mapping[str, Peer]
) -> Iterator[tuple[str, Backend]]:
    """A port of another cluster's service: a port at each of its gateways."""
    for name, gateway in document.gateways.items():
        peer = peer_name(cluster, name)
        for address in gateway.overlay if peer in peers else ():
            if address.version not in offered.families:
                continue
            backend = Backend(address=address, port=offered.gateway, tier=Tier.CLUSTER, node=peer)
            yield backend_name(address, offered.gateway), backend


def _gateway_services(plan: Plan, world: World, node: Node) -> Iterator[tuple[str, Service]]:
    """What a connector answers other clusters by: a port of its own for every port that we offer."""
    if not node.is_connector:
        return
    found: dict[str, dict[str, ServicePort]] = {}
    for (key, name), number in _gateway_ports(world).items():
        port = plan.services[key].ports[name] if key in plan.services else None
        if port is not None:
            found.setdefault(key, {})[name] = replace(port, port=number)
    for key, ports in sorted(found.items()):
        yield f"{key}.gateway", Service(addresses=plan.overlay, ports=dict(sorted(ports.items())))


def _gateway_ports(world: World) -> dict[tuple[str, str], int]:
    """The gateways' port for each port of the services that we offer: the same at all of them."""
    ports = {
        f"{key} {port_name(port)}": (key, port_name(port))
        for key, service in world.inventory.services.items()
        if service.everywhere and service.addresses
        for port in service.ports
    }
    return {ports[name]: _FIRST_PORT + place for name, place in numbered(ports, _PORTS).items()}
