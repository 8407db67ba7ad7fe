# SPDX-License-Identifier: Apache-2.0
"""Two clusters with equal prefixes for pods, each of an operator, connectors, and an edge; one has a worker.

    east-operator, -hub ── public ── inet ── public ── west-operator, -hub, -spare, -worker
             east-edge (masqueraded) ══╝  ╚══ west-edge (masqueraded)

On the worker and on each edge a server answers at the same port with its own name. With `./dev kube clusters`
each operator has a real API server.
"""

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, ip_address
from pathlib import Path

from tests.kube.server import assets
from tests.lab.demo import manifests
from tests.lab.device import Device
from tests.lab.kube_operator import KubeOperator
from tests.lab.namespaces import Namespaces
from tests.lab.operator import Operator, init_options
from tests.lab.pods import PORT, Pod
from tests.lab.product import Installation, Product
from tests.lab.sites import INTERNET, site
from tests.lab.topology import End, Host, HostRole, Link, NatKind, Route, Topology

CLUSTERS = ("east", "west")
OVERLAY = {"east": ("10.251.0.0/24", "fd00:251::/64"), "west": ("10.252.0.0/24", "fd00:252::/64")}
#: What either allots to pods: the default.
PODS = ("10.200.0.0/16", "fd00:200::/48")
SERVICE, SERVICE_PORT = "web", 80
NAME = f"{SERVICE}.default.svc.global"

_AT_ONCE = 4
_GATEWAY = IPv4Address("203.0.113.1")
#: The devices in each cloud.
CLOUD = {"east": ("hub",), "west": ("hub", "spare", "worker")}
PUBLIC = {
    f"{cluster}-{host}": IPv4Address(f"203.0.113.{10 * (1 + number) + place}")
    for number, cluster in enumerate(CLUSTERS)
    for place, host in enumerate(("operator", *CLOUD[cluster]))
}
_SITES = {
    f"{cluster}-edge": site(f"{cluster}-edge", number, NatKind.MASQUERADE, ())
    for number, cluster in enumerate(CLUSTERS, 1)
}


def topology() -> Topology:
    """All of it."""
    hosts = [
        Host(name, HostRole.OPERATOR if "operator" in name else HostRole.DEVICE, (Route(_GATEWAY),))
        for name in PUBLIC
    ]
    places = _SITES.values()
    return Topology(
        hosts=(
            Host(INTERNET, HostRole.ROUTER, bridges=("dc",)),
            *hosts,
            *(host for place in places for host in place.hosts),
        ),
        links=(*map(_public_link, PUBLIC), *(link for place in places for link in place.links)),
        nats=tuple(nat for place in places for nat in place.nats),
        bridge_addresses=(End(INTERNET, "dc", (IPv4Interface(f"{_GATEWAY}/24"),)),),
    )


def _public_link(name: str) -> Link:
    address = IPv4Interface(f"{PUBLIC[name]}/24")
    return Link(End(name, "public", (address,)), End(INTERNET, f"p-{name}", bridge="dc"))


@dataclass
class Cluster:
    """One of the two, running."""

    name: str
    namespaces: Namespaces
    operator: Operator
    devices: dict[str, Device] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)

    def host(self, what: str) -> str:
        return f"{self.name}-{what}"

    def add(self, what: str) -> None:
        """Enrol and start a device."""
        name = self.host(what)
        root = self.namespaces.workdir / name
        place = Installation(Product().appliance, root, self.namespaces.name(name))
        self.devices[what] = device = Device(name, place, root / "logs")
        device.enroll(self.operator.token(name))
        device.start()

    def add_pod(self, what: str) -> None:
        """A pod with a server on a device that has written its conflist."""
        device = self.devices[what]
        device.wait_for_conflist(30)
        resolver = ip_address("169.254.20.10")
        self.pods[what] = pod = Pod(f"{self.name}-{what}-pod", device, self.namespaces, resolver, "")
        pod.start()

    def offer(self, *which: str) -> None:
        """The service with these pods behind it, for every cluster."""
        backends = {self.host(what): self.pods[what].addresses for what in which}
        file = self.namespaces.workdir / f"{self.name}-service.yaml"
        self.operator.apply(manifests.write(file, *(f"{text}\n" for text in _service(backends))))

    def close(self) -> None:
        """End its API server, if it has one; the rest goes with the namespaces."""
        if isinstance(self.operator, KubeOperator):
            self.operator.cluster.close()

    def lose_power(self, what: str) -> None:
        """A device of the cloud goes without a word, and its cable is dead at the other end."""
        self.namespaces.unplug(_public_link(self.host(what)).b)
        self.devices[what].kill()

    def get_power(self, what: str) -> None:
        """It is back."""
        self.namespaces.plug_in(_public_link(self.host(what)).b)
        self.devices[what].start()


def _service(backends: Mapping[str, Sequence[object]]) -> list[str]:
    labels = {"orillo.io/global": "true"}
    port = {"name": "http", "port": SERVICE_PORT, "protocol": "TCP"}
    spec = {"clusterIP": "10.96.0.10", "ports": [port]}
    metadata = {"name": SERVICE, "namespace": "default", "labels": labels}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    endpoints = [{"addresses": [str(addresses[0])], "nodeName": node} for node, addresses in backends.items()]
    part = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata | {"name": f"{SERVICE}-1", "labels": {"kubernetes.io/service-name": SERVICE}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}],
        "endpoints": endpoints,
    }
    return [json.dumps(service), json.dumps(part)]


def build(namespaces: Namespaces) -> dict[str, Cluster]:
    """Both, each with its service and without a word to the other."""
    namespaces.build(topology())
    clusters = {name: _cluster(namespaces, name) for name in CLUSTERS}
    devices = [(cluster, what) for name, cluster in clusters.items() for what in (*CLOUD[name], "edge")]
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        list(workers.map(lambda pair: pair[0].add(pair[1]), devices))
        pods = [(cluster, what) for cluster, what in devices if what in ("worker", "edge")]
        list(workers.map(lambda pair: pair[0].add_pod(pair[1]), pods))
    return clusters


def _cluster(namespaces: Namespaces, name: str) -> Cluster:
    workdir, (other,) = namespaces.workdir, set(CLUSTERS) - {name}
    host = f"{name}-operator"
    place = Installation(Product().cloud, workdir / host, namespaces.name(host))
    log, programs = (
        workdir / host / "serve.log",
        assets() if os.environ.get("ORILLO_LAB_KUBERNETES") else None,
    )
    operator = KubeOperator(place, log, programs=programs, pools=PODS) if programs else Operator(place, log)
    operator.init(name, *init_options(str(PUBLIC[host]), overlay_pool=OVERLAY[name]))
    operator.start()
    nodes = [_node(f"{name}-{what}", what != "worker") for what in CLOUD[name]]
    cluster = f"apiVersion: orillo.io/v1alpha1\nkind: Cluster\nmetadata: {{name: {other}}}\n"
    documents = [*nodes, manifests.edge(f"{name}-edge"), cluster]
    operator.apply(manifests.write(workdir / f"{name}.yaml", *documents))
    return Cluster(name, namespaces, operator)


def _operator(place: Installation, log: Path) -> Operator:
    programs = assets() if os.environ.get("ORILLO_LAB_KUBERNETES") else None
    return KubeOperator(place, log, programs=programs, pools=PODS) if programs else Operator(place, log)


def _node(name: str, connector: bool) -> str:
    role = 'node-role.kubernetes.io/connector: "", ' if connector else ""
    return f"""apiVersion: v1
kind: Node
metadata:
  name: {name}
  labels: {{{role}orillo.io/site: cloud}}
  annotations: {{fabedge.io/node-public-addresses: {PUBLIC[name]}}}
status:
  addresses: [{{type: InternalIP, address: {PUBLIC[name]}}}]
"""
