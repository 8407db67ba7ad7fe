# SPDX-License-Identifier: Apache-2.0
"""One box to measure on: a namespace with a real operator, and a connector whose signed plan has N edges."""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cloud.app import App
from cloud.paths import CloudPaths
from tests.lab.command import LabError, run
from tests.lab.device import Daemon, Device
from tests.lab.namespaces import Namespaces
from tests.lab.operator import Operator
from tests.lab.product import Installation, Product
from tests.lab.wait import until

_HUB = "hub1"
_CONTROL = "192.0.2.1"
_POOLS = ("--pod-pool", "10.0.0.0/10", "--pod-pool", "fd00:200::/40")
_OVERLAY = ("--overlay-pool", "10.255.0.0/16", "--overlay-pool", "fd00:255::/64")


@dataclass(frozen=True)
class Box:
    """A connector that is enrolled, with its daemons running, or not yet."""

    device: Device
    operator: Operator

    @property
    def pid(self) -> int:
        """The agent's. The daemons' first process is `ip netns exec`, which becomes them."""
        return self.device.daemons[Daemon.AGENT].pid

    def settle(self, peers: int, seconds: float = 180.0) -> None:
        """Wait until the plan is applied, with a connection for each peer."""
        until(lambda: self._applied(peers), f"{peers} peers applied", seconds, 0.5, self._why)

    def _applied(self, peers: int) -> bool:
        tables = self.device.status().get("tables", {})
        count = tables.get("connections", {})
        return bool(count) and count.get("applied", 0) >= peers and not count.get("waiting", 0)

    def _why(self) -> str:
        return json.dumps(self.device.status().get("tables", {}))[:1000]


@contextmanager
def ground() -> Iterator[Namespaces]:
    """Where boxes stand; cleared at the end."""
    with TemporaryDirectory(prefix="orillo-bench-") as directory:
        namespaces = Namespaces(Path(directory))
        try:
            yield namespaces
        finally:
            namespaces.remove()


def make_box(namespaces: Namespaces, name: str, appliance: tuple[str, ...], peers: int) -> Box:
    """An enrolled connector with `peers` edges in its plan, none of which will ever call."""
    ns = namespaces.add(name)
    # The veth's far end stands for the rest of the world.
    run("ip", "-n", ns, "link", "add", "up0", "type", "veth", "peer", "name", "far0")
    for link in ("up0", "far0"):
        run("ip", "-n", ns, "link", "set", link, "up")
    run("ip", "-n", ns, "address", "add", f"{_CONTROL}/24", "dev", "up0")
    root = namespaces.workdir / name
    cloud = Installation(Product().cloud, root / "cloud", ns)
    operator = Operator(cloud, root / "operator.log")
    operator.init("bench", "--address", _CONTROL, *_POOLS, *_OVERLAY)
    manifests = root / "nodes.json"
    edges = [f"edge{number:05d}" for number in range(peers)]
    manifests.write_text(
        json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": [connector(_HUB, _CONTROL), *map(edge_node, edges)]}
        )
    )
    operator.apply(manifests)
    enrol_without_device(CloudPaths(cloud.root), edges)
    operator.start()
    device = Device(name, Installation(appliance, root / "device", ns), root / "logs")
    device.enroll(operator.token(_HUB))
    return Box(device, operator)


def enrol_without_device(paths: CloudPaths, names: list[str]) -> None:
    """Enter devices as enrolled that nobody runs: their peers' plans then have them."""
    app = App.open(paths)
    try:
        with app.change("bench"):
            for name in names:
                app.store.devices.enroll(name, secrets.token_hex(4), app.now(), "")
    finally:
        app.store.close()


def start(box: Box) -> None:
    """All three daemons, as systemd would: one that is missing is asked for again and again."""
    box.device.start(*Daemon)
    if not box.device.alive(Daemon.AGENT):
        raise LabError("the agent did not start")


def write_list(path: Path, *nodes: Mapping[str, object]) -> Path:
    """Manifests in one file."""
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes}))
    return path


def connector(name: str, address: str) -> dict[str, object]:
    """The Node of a hub with one address."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"node-role.kubernetes.io/connector": ""},
            "annotations": {"fabedge.io/node-public-addresses": address},
        },
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }


def edge_node(name: str) -> dict[str, object]:
    """The Node of an edge."""
    labels = {"node-role.kubernetes.io/edge": ""}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
