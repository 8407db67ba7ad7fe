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
class Cluster:
    """The running hosts."""

    namespaces: Namespaces
    operator: Operator
    pods: dict[str, KubePod]
    edge: Device
    edge_pod: Pod


def build(namespaces: Namespaces) -> Cluster:
    """Everything started; nothing waited for but the edge's pod."""
    product, workdir = Product(), namespaces.workdir
    namespaces.build(topology())
    place = Installation(product.cloud, workdir / "operator", namespaces.name("operator"))
    operator = Operator(place, workdir / "operator/serve.log")
    operator.init("lab", *init_options(PUBLIC["operator"]))
    operator.start()
    documents = [*map(_node, ROLES), manifests.edge(EDGE)]
    operator.apply(manifests.write(workdir / "cluster.yaml", *documents))
    root = workdir / EDGE
    edge = Device(EDGE, Installation(product.appliance, root, namespaces.name(EDGE)), root / "logs")
    pod = Pod("shop", edge, namespaces, ip_address("169.254.20.10"), "")
    cluster = Cluster(namespaces, operator, {}, edge, pod)
    try:
        for name in ROLES:
            cluster.pods[name] = _pod(namespaces, name, product.appliance, operator.token(name))
            cluster.pods[name].start()
        edge.enroll(operator.token(EDGE))
        edge.start()
        edge.wait_for_conflist(30)
        pod.start()
    except BaseException:
        close(cluster)
        raise
    return cluster


def close(cluster: Cluster) -> None:
    """End the containers; the namespaces' owner does the rest."""
    for pod in cluster.pods.values():
        pod.close()


def _pod(namespaces: Namespaces, name: str, program: tuple[str, ...], token: str) -> KubePod:
    """The pod that the DaemonSet of the node's role makes on it."""
    settings = {body["metadata"]["name"]: body["data"] for body in of_kind("ConfigMap")}
    files = settings | {"orillo-join": {ROLES[name]: token + "\n"}}
    pod = data_plane()[ROLES[name]]
    pause = _pause(namespaces.workdir / f"{name}/pause.log") if pod.get("shareProcessNamespace") else None
    processes = Path(f"/proc/{pause.pid}/ns/pid_for_children") if pause else None
    node = KubeNode(name, namespaces.name(name), Path(namespaces.workdir / name), program, files)
    return KubePod(
        node,
        [Container(node, pod, each) for each in pod["initContainers"]],
        {each["name"]: Container(node, pod, each, processes) for each in pod["containers"]},
        pause,
    )


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
