# SPDX-License-Identifier: Apache-2.0
"""Bring the demo up, step by step, as an owner would: operator, manifests, tokens, devices, pods, service."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab import capture, nameserver
from tests.lab.demo import bystander, manifests
from tests.lab.demo import topology as demo
from tests.lab.demo.world import World
from tests.lab.device import Device
from tests.lab.kube_operator import KubeOperator
from tests.lab.lan import LanHost
from tests.lab.namespaces import Namespaces
from tests.lab.operator import Operator, init_options
from tests.lab.pods import Pod
from tests.lab.product import Installation, Product
from tests.lab.residue import look
from tests.lab.sites import INTERNET

#: Which pods run where. `shop1-web` and `cloud` are the backends of the service.
PODS = {
    "shop1": "shop1",
    "shop1-web": "shop1",
    "shop2": "shop2",
    "depot": "depot",
    "cloud": demo.WORKER,
}
BACKENDS = {"shop1": "shop1-web", demo.WORKER: "cloud"}
_SEARCH = f"default.svc.{demo.DOMAIN} svc.{demo.DOMAIN} {demo.DOMAIN}"
#: Two processors are what the demo has to do with; one enrolment waits for the network most of its time.
_AT_ONCE = 4


def build(
    namespaces: Namespaces, product: Product, say: Callable[[str], None], kubernetes: Path | None = None
) -> World:
    """Everything up to the first tunnels; `say` gets a line for each step.

    With `kubernetes`, the folder of its programs, the manifests are in a real API server.
    """
    say("hosts and links")
    world = _ground(namespaces, product, kubernetes)
    say("operator: keys, store, manifests")
    _start_operator(world)
    say(f"enrolment and start of {len(world.devices)} devices")
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        list(workers.map(lambda name: _start_device(world, name), world.devices))
    say(f"{len(PODS)} pods by the CNI plug-ins, from the devices' own conflists")
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        list(workers.map(lambda name: _start_pod(world, name), PODS))
    say(f"service {demo.SERVICE} with {len(BACKENDS)} backends")
    backends = {node: world.pods[pod].addresses for node, pod in BACKENDS.items()}
    world.operator.apply(manifests.write(world.manifests / "service.yaml", manifests.service(backends)))
    world.till.serve()
    say("tunnels of every edge to both connectors")
    for name in demo.EDGES:
        world.wait_for_tunnels(name, 40)
    return world


def _ground(namespaces: Namespaces, product: Product, kubernetes: Path | None) -> World:
    """The hosts without anything of the product, and the capture that sees all that follows."""
    topology = demo.topology()
    workdir = namespaces.workdir
    namespaces.build(topology)
    names = {demo.OUTSIDE_NAME: demo.OUTSIDE_ADDRESSES}
    internet = namespaces.name(INTERNET)
    nameserver.start(internet, demo.NAME_SERVER, demo.OUTSIDE_ZONE, names, workdir / "nameserver")
    outer = "udp port 500 or udp port 4500 or esp"
    seen = capture.start(internet, "any", workdir / "captures/internet.pcap", f"{outer} or {inner()}")
    operator_root = Installation(product.cloud, workdir / "operator", namespaces.name("operator"))
    return World(
        workdir=workdir,
        topology=topology,
        namespaces=namespaces,
        operator=_operator(operator_root, workdir / "operator/logs/serve.log", kubernetes),
        devices={name: _device(namespaces, product, name) for name in demo.DEVICES},
        internet=seen,
        till=LanHost(demo.TILL_HOST, namespaces.name(demo.TILL_HOST), workdir / "till/serve.log"),
        machine_resolvers=resolvers_of_this_machine(),
    )


def _operator(installation: Installation, log: Path, kubernetes: Path | None) -> Operator:
    if kubernetes:
        return KubeOperator(installation, log, programs=kubernetes, pools=demo.POD_POOL)
    return Operator(installation, log)


def inner() -> str:
    """The pcap-filter(7) expression for a packet with an address of the fabric."""
    return " or ".join(f"net {prefix}" for prefix in demo.FABRIC)


def resolvers_of_this_machine() -> str:
    """A digest of the real /etc/resolv.conf."""
    file = Path("/etc/resolv.conf")
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""


def _device(namespaces: Namespaces, product: Product, name: str) -> Device:
    root = namespaces.workdir / name
    return Device(name, Installation(product.appliance, root, namespaces.name(name)), root / "logs")


def _start_operator(world: World) -> None:
    options = init_options(
        str(demo.PUBLIC["operator"]),
        pod_pool=demo.POD_POOL,
        overlay_pool=demo.OVERLAY_POOL,
        service_range=demo.SERVICE_RANGE,
        domain=[demo.DOMAIN],
    )
    world.operator.init(demo.CLUSTER, *options)
    world.operator.start()
    world.operator.apply(*manifests.write_site(world.manifests))


def _start_device(world: World, name: str) -> None:
    device = world.devices[name]
    bystander.settle(device)
    world.before[name] = look(device.ns)
    world.tokens[name] = world.operator.token(name)
    device.enroll(world.tokens[name])
    device.start()
    if name in PODS.values():
        device.wait_for_conflist(30)


def _start_pod(world: World, name: str) -> None:
    device = world.devices[PODS[name]]
    pod = world.pods[name] = Pod(name, device, world.namespaces, demo.CACHE, _SEARCH)
    pod.start()
