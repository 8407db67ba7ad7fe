# SPDX-License-Identifier: Apache-2.0
"""A cluster's nodes that run the containers of the DaemonSets, and one edge outside of it.

    operator, hub-1 (connector), worker-1 (cloud-node) ── public ── inet ── edge-1 (masqueraded)

The cluster has a CNI of its own: its nodes came with their podCIDRs, and `worker-1` has an address of a pod.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, ip_address
from pathlib import Path

from tests.lab.container import Container, KubeNode
from tests.lab.demo import manifests
from tests.lab.device import Device
from tests.lab.image import Image
from tests.lab.namespaces import Namespaces
from tests.lab.operator import Operator, init_options
from tests.lab.pods import Pod
from tests.lab.process import Process
from tests.lab.product import Installation, Product
from tests.lab.sites import INTERNET, site
from tests.lab.topology import End, Host, HostRole, Link, NatKind, Route, Topology
from tests.unit.kubernetes.manifests import data_plane, of_kind

PUBLIC = {"operator": "203.0.113.10", "hub-1": "203.0.113.11", "worker-1": "203.0.113.21"}
ROLES = {"hub-1": "connector", "worker-1": "cloud-node"}
PREFIXES = {"hub-1": "10.201.1.0/24", "worker-1": "10.201.2.0/24"}
#: A pod of the cluster's own CNI.
CLOUD_POD = IPv4Address("10.201.2.9")
EDGE = "edge-1"

_GATEWAY = IPv4Address("203.0.113.1")
_SITE = site(EDGE, 1, NatKind.MASQUERADE, ())


def topology() -> Topology:
    """All of it."""
    hosts = [
        Host(name, HostRole.OPERATOR if name == "operator" else HostRole.DEVICE, (Route(_GATEWAY),))
        for name in PUBLIC
        if name != "worker-1"
    ]
    worker = Host("worker-1", HostRole.DEVICE, (Route(_GATEWAY),), bridges=("cni0",))
    return Topology(
        hosts=(Host(INTERNET, HostRole.ROUTER, bridges=("dc",)), *hosts, worker, *_SITE.hosts),
        links=(*map(_public_link, PUBLIC), *_SITE.links),
        nats=_SITE.nats,
        bridge_addresses=(
            End(INTERNET, "dc", (IPv4Interface(f"{_GATEWAY}/24"),)),
            End("worker-1", "cni0", (IPv4Interface(f"{CLOUD_POD}/24"),)),
        ),
    )


def _public_link(name: str) -> Link:
    address = IPv4Interface(f"{PUBLIC[name]}/24")
    return Link(End(name, "public", (address,)), End(INTERNET, f"p-{name}", bridge="dc"))


@dataclass
class KubePod:
    """One pod of a DaemonSet on a node: its init containers, and those that go on running."""

    node: KubeNode
    first: list[Container] = field(default_factory=list)
    running: dict[str, Container] = field(default_factory=dict)
    pause: Process | None = None

    def start(self) -> None:
        """As a kubelet does: the first ones one after the other, then all others."""
        for container in self.first:
            container.run()
        for container in self.running.values():
            container.start()

    def close(self) -> None:
        for container in (*self.running.values(), *self.first):
            container.close()
        if self.pause:
            self.pause.kill()


@dataclass
class World:
    """The running hosts. `devices` are those that run as programs of their host, and in no container."""

    namespaces: Namespaces
    operator: Operator
    devices: dict[str, Device]
    edge_pod: Pod

    @property
    def edge(self) -> Device:
        return self.devices[EDGE]

    def add(self, name: str, program: tuple[str, ...]) -> None:
        """Enrol and start a device."""
        self.devices[name] = device = _device(self.namespaces, name, program)
        device.enroll(self.operator.token(name))
        device.start()


@dataclass
class Cluster(World):
    """The cloud's side in containers."""

    pods: dict[str, KubePod] = field(default_factory=dict)


def build_world(namespaces: Namespaces, program: tuple[str, ...]) -> World:
    """Every device as a program of its host; this one, in all of its words."""
    operator = _ground(namespaces)
    edge = _device(namespaces, EDGE, program)
    world = World(namespaces, operator, {}, _shop(namespaces, edge))
    for name in ROLES:
        world.add(name, program)
    _start_edge(world, program)
    return world


def build(namespaces: Namespaces, image: Image | None = None) -> Cluster:
    """Everything started; nothing waited for but the edge's pod. Without an image the tree stands for it."""
    program = Product().appliance
    operator = _ground(namespaces)
    edge = _device(namespaces, EDGE, program)
    cluster = Cluster(namespaces, operator, {}, _shop(namespaces, edge))
    try:
        for name in ROLES:
            cluster.pods[name] = _pod(namespaces, name, program, _token(operator, name), image)
            cluster.pods[name].start()
        _start_edge(cluster, program)
    except BaseException:
        close(cluster)
        raise
    return cluster


def _ground(namespaces: Namespaces) -> Operator:
    """The hosts, and the operator with its manifests."""
    namespaces.build(topology())
    workdir = namespaces.workdir
    place = Installation(Product().cloud, workdir / "operator", namespaces.name("operator"))
    operator = Operator(place, workdir / "operator/serve.log")
    operator.init("lab", *init_options(PUBLIC["operator"]))
    operator.start()
    documents = [*map(_node, ROLES), manifests.edge(EDGE)]
    operator.apply(manifests.write(workdir / "cluster.yaml", *documents))
    return operator


def _device(namespaces: Namespaces, name: str, program: tuple[str, ...]) -> Device:
    root = namespaces.workdir / name
    return Device(name, Installation(program, root, namespaces.name(name)), root / "logs")


def _shop(namespaces: Namespaces, edge: Device) -> Pod:
    return Pod("shop", edge, namespaces, ip_address("169.254.20.10"), "")


def _start_edge(world: World, program: tuple[str, ...]) -> None:
    world.add(EDGE, program)
    world.edge.wait_for_conflist(30)
    world.edge_pod.start()


def close(cluster: Cluster) -> None:
    """End the containers; the namespaces' owner does the rest."""
    for pod in cluster.pods.values():
        pod.close()


def _pod(
    namespaces: Namespaces, name: str, program: tuple[str, ...], token: str, image: Image | None
) -> KubePod:
    """The pod that the DaemonSet of the node's role makes on it."""
    settings = {body["metadata"]["name"]: body["data"] for body in of_kind("ConfigMap")}
    files = settings | {"orillo-join": {ROLES[name]: token + "\n"}}
    pod = data_plane()[ROLES[name]]
    pause = _pause(namespaces.workdir / f"{name}/pause.log") if pod.get("shareProcessNamespace") else None
    processes = Path(f"/proc/{pause.pid}/ns/pid_for_children") if pause else None
    node = KubeNode(name, namespaces.name(name), Path(namespaces.workdir / name), program, files, image)
    return KubePod(
        node,
        [Container(node, pod, each) for each in pod["initContainers"]],
        {each["name"]: Container(node, pod, each, processes) for each in pod["containers"]},
        pause,
    )


def _token(operator: Operator, name: str) -> str:
    """A token as a DaemonSet has it: for several devices, whose names begin as this one's does."""
    pattern = f"{name.partition('-')[0]}-*"
    return str(operator.read("token", "create", "--pattern", pattern, "--uses", "2")["token"])


def _pause(log: Path) -> Process:
    """What keeps a pod's process namespace: its child is the namespace's first process."""
    script = "echo ready; exec sleep infinity"
    process = Process(("unshare", "--pid", "--fork", "--kill-child", "sh", "-c", script), log)
    process.wait_for("ready", 10)
    return process


def _node(name: str) -> str:
    """As kubectl shows a node of a cluster with Flannel."""
    role = '{node-role.kubernetes.io/connector: ""}' if ROLES[name] == "connector" else "{}"
    return f"""apiVersion: v1
kind: Node
metadata:
  name: {name}
  labels: {role}
  annotations: {{fabedge.io/node-public-addresses: {PUBLIC[name]}}}
spec:
  podCIDR: {PREFIXES[name]}
  podCIDRs: [{PREFIXES[name]}]
status:
  addresses: [{{type: InternalIP, address: {PUBLIC[name]}}}]
"""
