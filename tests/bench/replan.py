# SPDX-License-Identifier: Apache-2.0
"""What one change costs an operator that knows 10,000 devices, in CPU seconds, from object to signed plans.

The value is a change that touches 5,000 devices: a backend in the cloud that goes, of a service that half of
the edges may use. In the detail stand a change of one edge, of one edge's backend and of one community, and
what it costs to recompute everything, as at a start.
"""

import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from cloud.app import App
from cloud.ca.issuer import Issuer
from cloud.ca.keys import PlanKey
from cloud.files import make_private_directory
from cloud.paths import CloudPaths
from cloud.settings import Pools, Settings
from cloud.source.manifest import Manifest
from cloud.store.store import Store
from tests.bench.outcome import Outcome, say

_EDGES = 9_990
_CONNECTORS = 2
_CLOUD = 8
_SERVICES = 50
_MEMBERS = 10
_TARGET = 1.0
_ROUNDS = 5

Change = Callable[[App, int], None]


def run() -> Outcome:
    """Fill an operator, enrol everybody, then change one thing at a time."""
    with tempfile.TemporaryDirectory(prefix="orillo-bench-") as folder:
        app = _operator(CloudPaths(Path(folder)))
        say(f"planning for {_EDGES + _CONNECTORS + _CLOUD} devices")
        everything, _ = _spent(app, _fill, 0)
        detail: dict[str, Any] = {"devices": _EDGES + _CONNECTORS + _CLOUD, "everything_cpu_s": everything}
        for name, change in _CHANGES.items():
            costs = [_spent(app, change, number) for number in range(_ROUNDS)]
            detail[name] = {
                "cpu_s": round(statistics.median(cost for cost, _ in costs), 3),
                "worst_cpu_s": round(max(cost for cost, _ in costs), 3),
                "devices_told": statistics.median(told for _, told in costs),
            }
        app.store.close()
    value = detail["backend_of_half_the_fleet"]["cpu_s"]
    return Outcome("replan", _TARGET, value, "s CPU", value <= _TARGET, detail)


def _operator(paths: CloudPaths) -> App:
    make_private_directory(paths.keys)
    now = datetime.now(UTC)
    pools = Pools(
        pods=(ip_network("10.128.0.0/9"),),
        overlay=(ip_network("172.20.0.0/15"),),
        services=(ip_network("10.96.0.0/16"),),
    )
    settings = Settings(cluster="bench", addresses=("127.0.0.1",), pools=pools)
    issuer, key = Issuer.create(paths.keys, "bench", now), PlanKey.create(paths.keys / "plan.key")
    return App(settings, Store.open(paths.database), issuer, key)


def _spent(app: App, change: Change, number: int) -> tuple[float, int]:
    """The CPU time of one change, and how many devices have a new plan."""
    gc.collect()
    told: list[int] = []
    app.changed = lambda names: told.append(len(names))
    before = time.process_time()
    change(app, number)
    return round(time.process_time() - before, 3), sum(told)


def _put(app: App, manifests: Iterable[Manifest]) -> None:
    with app.change("bench"):
        app.store.objects.put(manifests)


def _fill(app: App, _: int) -> None:
    names = [f"edge-{number}" for number in range(_EDGES)]
    cloud = [f"hub-{number}" for number in range(_CONNECTORS)] + [
        f"worker-{number}" for number in range(_CLOUD)
    ]
    manifests = [_edge(name) for name in names]
    manifests += [_device(name) for name in names[: _EDGES // 2]]
    manifests += [_cloud(name, number) for number, name in enumerate(cloud)]
    for number in range(_SERVICES):
        manifests += [_service(number), _slice(number, 2)]
    manifests += [_community(number, _MEMBERS) for number in range(_EDGES // _MEMBERS)]
    with app.change("bench"):
        app.store.objects.put(manifests)
        for name in names + cloud:
            app.store.devices.enroll(name, "0a1b2c3d", app.now(), "")


def _edge(name: str, site: str = "") -> Manifest:
    labels = {"node-role.kubernetes.io/edge": ""} | ({"orillo.io/site": site} if site else {})
    return _manifest("v1", "Node", name, labels)


def _cloud(name: str, number: int) -> Manifest:
    labels = {"node-role.kubernetes.io/connector": ""} if name.startswith("hub") else {}
    status = {"addresses": [{"type": "InternalIP", "address": f"172.16.0.{number + 1}"}]}
    return _manifest("v1", "Node", name, labels, spec={"podCIDRs": [f"10.255.{number}.0/24"]}, status=status)


def _device(name: str) -> Manifest:
    return _manifest("orillo.io/v1alpha1", "Device", name, {}, spec={"cloud": "deny"})


def _service(number: int) -> Manifest:
    spec = {"clusterIP": f"10.96.0.{number + 1}", "ports": [{"name": "http", "port": 80}]}
    return _manifest("v1", "Service", f"service-{number}", {}, "default", spec=spec)


def _slice(number: int, backends: int, home: str = "") -> Manifest:
    """Backends in the cloud, or one that is said to be on the host of an edge."""
    there: list[dict[str, Any]] = [
        {"addresses": [f"10.255.{_CONNECTORS}.{number + 1 + 100 * each}"]} for each in range(backends)
    ]
    there += [{"addresses": [f"192.168.1.{number + 1}"], "nodeName": home}] if home else []
    labels = {"kubernetes.io/service-name": f"service-{number}"}
    ports = [{"name": "http", "port": 8080}]
    parts = {"addressType": "IPv4", "endpoints": there, "ports": ports}
    return _manifest("discovery.k8s.io/v1", "EndpointSlice", f"slice-{number}", labels, "default", **parts)


def _community(number: int, members: int) -> Manifest:
    names = [f"edge-{number * _MEMBERS + each}" for each in range(members)]
    return _manifest("orillo.io/v1alpha1", "Community", f"community-{number}", {}, spec={"members": names})


def _manifest(
    version: str, kind: str, name: str, labels: dict[str, str], namespace: str = "", **body: Any
) -> Manifest:
    return Manifest(version, kind, namespace, name, {"metadata": {"name": name, "labels": labels}} | body)


_CHANGES: dict[str, Change] = {
    "site_of_one_edge": lambda app, number: _put(app, [_edge("edge-7", f"site-{number}")]),
    "backend_of_one_edge": lambda app, number: _put(app, [_slice(9, 2, f"edge-{9000 + number}")]),
    "member_of_one_community": lambda app, number: _put(app, [_community(3, _MEMBERS - 1 - number % 2)]),
    "new_service": lambda app, number: _put(app, [_service(_SERVICES + number)]),
    "backend_of_half_the_fleet": lambda app, number: _put(app, [_slice(1, 1 + number % 2)]),
}
