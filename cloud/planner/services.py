# SPDX-License-Identifier: Apache-2.0
"""Services as one device sees them: the backends that it may reach, by how near they are."""

from collections.abc import Iterable, Iterator

from appliance.netcore.plan.identity import Place
from appliance.netcore.plan.model import Backend as PlanBackend
from appliance.netcore.plan.model import Service as PlanService
from appliance.netcore.plan.model import ServicePort
from appliance.netcore.plan.values import Address, Role, Tier
from cloud.planner.model import Backend, NamedPort, Node, Service
from cloud.planner.peers import are_peers
from cloud.planner.policy import may_open, may_use
from cloud.planner.world import View, World


def services_of(world: World, node: Node) -> dict[str, PlanService]:
    """The services with a cluster address, by `namespace/name`, with the backends that `node` reaches.

    Most devices see most services alike; a device that sees all of them so gets the dictionary of its sort.
    """
    view, special = _view(world, node), _special(world, node)
    if not special:
        return view.services
    own = {key: world.inventory.services[key] for key in special}
    return view.services | {key: service_at(world, node, own[key]) for key in own if _has_address(own[key])}


def headless_records(world: World, node: Node) -> dict[str, tuple[Address, ...]]:
    """The DNS names of headless services, each with the backends that `node` reaches."""
    view = _view(world, node)
    special = [world.inventory.services[key] for key in _special(world, node)]
    own = {_dns_name(world, each): addresses_at(world, node, each) for each in special if each.headless}
    found = view.records | own if own else view.records
    return {name: addresses for name, addresses in found.items() if addresses}


def renew_views(world: World, services: Iterable[str]) -> None:
    """These services, or where their backends are, are others now."""
    for sort, view in list(world.views.items()):
        world.views[sort] = _changed_view(world, view, _stranger(sort), services)


_Sort = tuple[Role, str, bool, bool]


def _view(world: World, node: Node) -> View:
    """What devices see that are like `node`, but near to nothing."""
    sort = (node.place.role, node.place.region, node.cloud, bool(world.hubs))
    if sort not in world.views:
        world.views[sort] = _changed_view(world, View(), _stranger(sort), world.inventory.services)
    return world.views[sort]


def _stranger(sort: _Sort) -> Node:
    """A device of this sort that is at no site and in no community. No node can have its name."""
    role, region, cloud, _ = sort
    return Node("", Place(role, "", region), cloud=cloud)


def _changed_view(world: World, view: View, stranger: Node, keys: Iterable[str]) -> View:
    services, records = dict(view.services), dict(view.records)
    for key in keys:
        services.pop(key, None)
        service = world.inventory.services.get(key)
        if service is not None and _has_address(service):
            services[key] = service_at(world, stranger, service)
        _renew_record(world, stranger, records, key)
    return View(services, records)


def _renew_record(world: World, stranger: Node, records: dict[str, tuple[Address, ...]], key: str) -> None:
    namespace, _, name = key.partition("/")
    records.pop(_name_in_dns(world, namespace, name), None)
    service = world.inventory.services.get(key)
    if service is not None and service.headless:
        records[_dns_name(world, service)] = addresses_at(world, stranger, service)


def _special(world: World, node: Node) -> set[str]:
    """The services that `node` may see otherwise than a stranger does: those with a backend near it."""
    near = {node.name, *world.at_site(node.place.site), *(other.name for other in world.companions(node))}
    return {key for home in near for key in world.services_at(home)}


def _has_address(service: Service) -> bool:
    return bool(service.addresses and service.ports)


def service_at(world: World, node: Node, service: Service) -> PlanService:
    """A service with the backends that `node` reaches."""
    return PlanService(
        addresses=service.addresses,
        ports={port_name(port): _port(world, node, service, port) for port in service.ports},
        strict=service.strict,
        client_affinity=service.client_affinity,
    )


def addresses_at(world: World, node: Node, service: Service) -> tuple[Address, ...]:
    """The backends of a headless service that `node` reaches."""
    found = [backend.address for backend in service.backends if _reaches(world, node, backend)]
    return tuple(dict.fromkeys(found))


def _dns_name(world: World, service: Service) -> str:
    return _name_in_dns(world, service.namespace, service.name)


def _name_in_dns(world: World, namespace: str, name: str) -> str:
    return f"{name}.{namespace}.svc.{world.fabric.domain}"


def port_name(port: NamedPort) -> str:
    """What plans call a port, which need not have a name."""
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
                yield backend_name(backend.address, target.port), found


def backend_name(address: Address, port: int) -> str:
    """What plans call a backend."""
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
