# SPDX-License-Identifier: Apache-2.0
"""`operator`: what 5,000 Nodes, Services and EndpointSlices cost the operator, read from a real API server.

The figure is its resident memory once all of them are in. What the first sync, idling and one change of each
sort took stands in the detail, beside the size of the same objects as the server sends them.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from cloud.source.resources import RESOURCES
from tests.bench.memory import memory, work
from tests.bench.outcome import CannotMeasureError, Outcome, say
from tests.kube import things
from tests.kube.cluster import install
from tests.kube.server import OPERATOR_TOKEN, KubeServer, assets, wait_until
from tests.lab.command import attempt
from tests.lab.process import Process, environment

_COUNT = 5000
_AT_ONCE = 6
_TARGET = 256.0  # MiB
_SETTLE, _IDLE = 15.0, 30.0  # seconds; all devices are looked at once in the latter
_PORTS = ("--control-port", "19443", "--enroll-port", "19444")
_PROGRAM = (sys.executable, "-m", "cloud.cli.main")


def run() -> Outcome:
    """Fill a cluster, then let an operator read it."""
    programs = assets()
    if programs is None:
        raise CannotMeasureError("there is no kube-apiserver; ./dev kube makes it")
    with tempfile.TemporaryDirectory(prefix="orillo-bench-") as folder:
        server = KubeServer(programs, Path(folder))
        try:
            install(server)
            say(f"making {3 * _COUNT} objects")
            with ThreadPoolExecutor(_AT_ONCE) as workers:
                list(workers.map(lambda number: _make(server, number), range(_COUNT)))
            say("an operator reads them")
            return _measure(server, Path(folder) / "operator")
        finally:
            server.close()


def _measure(server: KubeServer, root: Path) -> Outcome:
    program = (*_PROGRAM, "--root", str(root))
    made = attempt(
        *program, "init", "--cluster", "bench", "--address", "127.0.0.1", *_PORTS, env=environment()
    )
    if not made.ok:
        raise CannotMeasureError(made.text)
    config = str(server.kubeconfig(OPERATOR_TOKEN))
    process = Process((*program, "serve", "--kubernetes", "--kubeconfig", config), root / "serve.log")
    try:
        detail: dict[str, float] = {"objects": 3 * _COUNT, "server_mib": _size(server)}
        detail |= _spent(process, "sync", lambda: _wait_for_mirror(process, 1))
        # What replicas have to know of 5,000 new Nodes is written in the seconds after the first sync.
        detail |= _spent(process, "settle", lambda: time.sleep(_SETTLE))
        detail |= _spent(process, "idle", lambda: time.sleep(_IDLE))
        for mirrored, (what, (method, path, body)) in enumerate(_CHANGES.items(), start=2):
            server.ask(method, path, body)
            detail |= _spent(process, what, partial(_wait_for_mirror, process, mirrored))
        rss = round(memory(process.pid).rss / 1024, 1)
    finally:
        process.stop()
    return Outcome("operator", _TARGET, rss, "MiB", rss <= _TARGET, detail)


def _spent(process: Process, what: str, wait: Callable[[], None]) -> dict[str, float]:
    """How long it took, and the operator's processor time, in seconds."""
    began, before = time.monotonic(), work(process.pid).nanoseconds
    wait()
    cpu = (work(process.pid).nanoseconds - before) / 1e9
    return {f"{what}_s": round(time.monotonic() - began, 2), f"{what}_cpu_s": round(cpu, 3)}


#: One change of each sort.
_CHANGES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "community": ("POST", things.COMMUNITIES, things.community("shops", "node-1", "node-2")),
    "node": ("PATCH", f"{things.NODES}/node-7", {"metadata": {"labels": {"orillo.io/site": "north"}}}),
    "service": ("POST", things.SERVICES, things.service("another")),
    "backend": ("PATCH", f"{things.SLICES}/slice-9", {"endpoints": []}),
}


def _wait_for_mirror(process: Process, count: int) -> None:
    wait_until(lambda: process.output().count("event=mirrored") >= count, "the operator has read the cluster")


def _size(server: KubeServer) -> float:
    """The objects as the server lists them, in MiB."""
    return round(sum(len(server.admin.get(each.path).content) for each in RESOURCES) / 2**20, 1)


def _make(server: KubeServer, number: int) -> None:
    prefix = f"10.{100 + number // 256}.{number % 256}"
    name = f"node-{number}"
    server.ask("POST", things.NODES, things.node(name, f"{prefix}.0/24"))
    server.ask("POST", things.SERVICES, things.service(f"service-{number}"))
    backends = things.endpoint_slice(f"slice-{number}", f"service-{number}", f"{prefix}.9", name)
    server.ask("POST", things.SLICES, backends)
