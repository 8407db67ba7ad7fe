# SPDX-License-Identifier: Apache-2.0
"""Services and their EndpointSlices of the manifests as the planner's services with ready backends."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

from appliance.netcore.plan.values import Address, Protocol
from cloud.planner.model import Backend, NamedPort, Service
from cloud.source import objects

SERVICE_LABEL = "kubernetes.io/service-name"
STRICT = "orillo.io/strict"
GLOBAL = "orillo.io/global"


def read_services(
    services: Iterable[objects.Service], slices: Iterable[objects.EndpointSlice]
) -> dict[str, Service]:
    """The services by `namespace/name`; those of type ExternalName are DNS aliases and left out."""
    backends: dict[str, list[Backend]] = {}
    for part in slices:
        name = part.metadata.labels.get(SERVICE_LABEL)
        if name and part.address_type != "FQDN":
            key = f"{part.metadata.namespace or 'default'}/{name}"
            backends.setdefault(key, []).extend(_backends(part))
    read = [_read_service(service) for service in services if service.spec.type != "ExternalName"]
    return {
        key: _with_backends(service, backends.get(key, ()))
        for key, service in sorted((f"{service.namespace}/{service.name}", service) for service in read)
    }


def _read_service(service: objects.Service) -> Service:
    metadata, spec = service.metadata, service.spec
    strict, everywhere = (_says(metadata, name) for name in (STRICT, GLOBAL))
    return Service(
        namespace=metadata.namespace or "default",
        name=metadata.name,
        addresses=spec.addresses,
        ports=tuple(NamedPort(port.name, Protocol(port.protocol.lower()), port.port) for port in spec.ports),
        headless=spec.headless,
        strict=strict,
        client_affinity=spec.session_affinity == "ClientIP",
        everywhere=everywhere,
    )


def _says(metadata: objects.Metadata, name: str) -> bool:
    return metadata.labels.get(name, metadata.annotations.get(name, "")).lower() == "true"


def _backends(part: objects.EndpointSlice) -> Iterator[Backend]:
    ports = tuple(
        NamedPort(port.name, Protocol(port.protocol.lower()), port.port) for port in part.ports if port.port
    )
    for endpoint in part.endpoints:
        if endpoint.conditions.ready is not False:
            for address in endpoint.addresses:
                yield Backend(ip_address(address), endpoint.node_name, ports)


def _with_backends(service: Service, backends: Iterable[Backend]) -> Service:
    ordered = sorted(
        backends, key=lambda backend: (backend.address.version, int(backend.address), backend.node)
    )
    return Service(**{**vars(service), "backends": tuple(ordered)})


def service_problems(services: Mapping[str, Service]) -> Iterator[str]:
    """Services that want the same address."""
    owners: dict[Address, str] = {}
    for name, service in services.items():
        for address in service.addresses:
            other = owners.setdefault(address, name)
            if other != name:
                yield f"services {other} and {name} both have the clusterIP {address}: change one of them"
