# SPDX-License-Identifier: Apache-2.0
"""Services as one device sees them: the backends that it may reach, by how near they are."""

from collections.abc import Iterator

from appliance.netcore.plan.model import Backend as PlanBackend
from appliance.netcore.plan.model import Service as PlanService
from appliance.netcore.plan.model import ServicePort
from appliance.netcore.plan.values import Address, Tier
from cloud.planner.model import Backend, NamedPort, Node, Service
from cloud.planner.peers import are_peers
from cloud.planner.policy import may_open, may_use
from cloud.planner.world import World


def services_of(world: World, node: Node) -> dict[str, PlanService]:
    """The services with a cluster address, by `namespace/name`, with the backends that `node` reaches."""
    return {
        key: PlanService(
            addresses=service.addresses,
            ports={_port_name(port): _port(world, node, service, port) for port in service.ports},
            strict=service.strict,
            client_affinity=service.client_affinity,
        )
        for key, service in world.inventory.services.items()
        if service.addresses and service.ports
    }


def headless_records(world: World, node: Node) -> dict[str, tuple[Address, ...]]:
    """The DNS names of headless services, each with the backends that `node` reaches."""
    records = {}
    for service in world.inventory.services.values():
        if service.headless:
            name = f"{service.name}.{service.namespace}.svc.{world.fabric.domain}"
            found = [backend.address for backend in service.backends if _reaches(world, node, backend)]
            records[name] = tuple(dict.fromkeys(found))
    return {name: addresses for name, addresses in records.items() if addresses}


def _port_name(port: NamedPort) -> str:
    return port.name or f"{port.protocol}-{port.port}"


def _port(world: World, node: Node, service: Service, port: NamedPort) -> ServicePort:
    return ServicePort(
        protocol=port.protocol, port=port.port, backends=dict(_backends(world, node, service, port))
    )


def _backends(
    world: World, node: Node, service: Service, port: NamedPort
) -> Iterator[tuple[str, PlanBackend]]:
    for backend in service.backends:
        home = _reaches(world, node, backend)
        if home is None:
            continue
        for target in backend.ports:
            same = (target.name, target.protocol) == (port.name, port.protocol)
            if same and may_use(world, node, home, target.protocol, target.port):
                found = PlanBackend(
                    address=backend.address,
                    port=target.port,
                    tier=_tier(world, node, home),
                    node=home.name,
                )
                yield _backend_name(backend.address, target.port), found


def _backend_name(address: Address, port: int) -> str:
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"


def _tier(world: World, node: Node, home: Node) -> Tier:
    """How near a backend that runs at `home` is to `node`, which can reach it."""
    if home.name == node.name:
        return Tier.NODE
    if home.place.site == node.place.site:
        return Tier.SITE
    if home.is_edge and world.shared(node, home):
        return Tier.COMMUNITY
    same_region = home.place.region and home.place.region == node.place.region
    return Tier.REGION if same_region else Tier.CLOUD


def _reaches(world: World, node: Node, backend: Backend) -> Node | None:
    """Where the backend runs, if `node` can reach it there.

    A backend on its node's own address (host network) is within reach of that node, and of the cloud's
    nodes if it is of the cloud: no tunnel carries it.
    """
    home = world.home(backend)
    on_host = home is None
    if home is None:
        home = world.inventory.nodes.get(backend.node)
    if home is None or home.name == node.name:
        return home
    if not (home.is_edge or node.is_edge):
        return home  # the cluster's own network, whether the other one is enrolled or not
    enrolled = home.name in world.devices and are_peers(world, node, home)
    return home if enrolled and not on_host and may_open(world, node, home) else None
