# SPDX-License-Identifier: Apache-2.0
"""`start`: `version`, the terminal's first paint, a cold box's first tunnel; compiled and CPython in turn.

The cold box has its plan on disk and a hub in reach; the control endpoint is gone. Power on is the start of
charon, unbound and the agent together.
"""

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_interface
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

from appliance.netcore.errors import DoorError
from appliance.status.client import status
from tests.bench.binary import compiled
from tests.bench.box import connector, edge_node, ground, write_list
from tests.bench.outcome import CannotMeasureError, Outcome, say
from tests.lab.command import run as call
from tests.lab.device import Daemon, Device
from tests.lab.namespaces import Namespaces
from tests.lab.operator import Operator
from tests.lab.process import environment
from tests.lab.product import Installation, Product
from tests.lab.topology import End, Host, HostRole, Link, Topology
from tests.lab.wait import until

_PAIRS = 9
_BOOTS = 3
_VERSION = 0.25
_TUNNEL = 3.0
_PAINT = 1.0
#: A first picture of 80x24 has more bytes than what clears the screen for it.
_PICTURE = 400
_TOPOLOGY = Topology(
    hosts=(Host("hub", HostRole.DEVICE), Host("edge", HostRole.DEVICE)),
    links=(
        Link(
            End("hub", "up0", (ip_interface("192.0.2.1/24"),)),
            End("edge", "up0", (ip_interface("192.0.2.2/24"),)),
        ),
    ),
)
Spread = Mapping[str, float]


def run() -> Outcome:
    """All three; the value is that of `version`."""
    programs = {"compiled": (str(compiled()),), "cpython": Product().appliance}
    versions = _versions(programs)
    paints = _paints(programs)
    boots = _boots(programs)
    answer, tunnel = versions["compiled"]["median"], boots["compiled"]["median"]
    holds = {
        "version": answer <= _VERSION,
        "paint": paints["compiled"]["median"] <= _PAINT,
        "tunnel": tunnel <= _TUNNEL,
    }
    detail = {
        "holds": holds,
        "targets": {"version": _VERSION, "paint": _PAINT, "tunnel": _TUNNEL},
        "version": versions,
        "paint": paints,
        "tunnel": boots,
    }
    return Outcome("start", _VERSION, answer, "s", all(holds.values()), detail)


def _versions(programs: Mapping[str, tuple[str, ...]]) -> dict[str, Spread]:
    wall: dict[str, list[float]] = {kind: [] for kind in programs}
    cpu: dict[str, list[float]] = {kind: [] for kind in programs}
    for _ in range(_PAIRS):
        for kind, program in programs.items():
            before, started = _children(), time.monotonic()
            call(*program, "version", env=environment())
            wall[kind].append(time.monotonic() - started)
            cpu[kind].append(_children() - before)
    return {kind: {**_spread(wall[kind]), "cpu": round(median(cpu[kind]), 4)} for kind in programs}


def _children() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _paints(programs: Mapping[str, tuple[str, ...]]) -> dict[str, Spread]:
    seconds: dict[str, list[float]] = {kind: [] for kind in programs}
    for _ in range(_PAIRS):
        for kind, program in programs.items():
            seconds[kind].append(_first_paint(program))
    return {kind: _spread(values) for kind, values in seconds.items()}


def _first_paint(program: tuple[str, ...]) -> float:
    """Seconds until the terminal has painted its recording's first picture, on a terminal of 80x24."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    started = time.monotonic()
    command = (*program, "tui", "--demo")
    terminal = subprocess.Popen(
        command, stdin=child, stdout=child, stderr=child, env={**environment(), "TERM": "linux"}
    )
    try:
        got = 0
        while got < _PICTURE:
            if not select.select([parent], [], [], 30)[0]:
                raise CannotMeasureError(f"{command[0]} tui paints nothing")
            got += len(os.read(parent, 65536))
        return time.monotonic() - started
    finally:
        terminal.kill()
        terminal.wait()
        os.close(parent)
        os.close(child)


def _boots(programs: Mapping[str, tuple[str, ...]]) -> dict[str, Spread]:
    seconds: dict[str, list[float]] = {kind: [] for kind in programs}
    with ground() as namespaces, _site(namespaces) as edge:
        for _ in range(_BOOTS):
            for kind, program in programs.items():
                seconds[kind].append(_cold_boot(namespaces, _with(edge, program)))
                say(f"{kind}: tunnel {seconds[kind][-1]:.2f} s after power on")
    return {kind: _spread(values) for kind, values in seconds.items()}


@contextmanager
def _site(namespaces: Namespaces) -> Iterator[Device]:
    """A hub that runs and an edge that has its plan, and no operator any more."""
    namespaces.build(_TOPOLOGY)
    product = Product()
    operator = Operator(
        Installation(product.cloud, namespaces.workdir / "cloud", namespaces.name("hub")),
        namespaces.workdir / "operator.log",
    )
    operator.init("bench", "--address", "192.0.2.1")
    nodes = (connector("hub", "192.0.2.1"), edge_node("edge"))
    operator.apply(write_list(namespaces.workdir / "nodes.json", *nodes))
    operator.start()
    hub, edge = (_device(namespaces, product, host.name) for host in _TOPOLOGY.hosts)
    for device in (hub, edge):
        device.enroll(operator.token(device.name))
        device.start()
    until(lambda: _tunnel_up(edge), "the first tunnel", 60, 0.2)
    operator.stop()
    yield edge


def _device(namespaces: Namespaces, product: Product, name: str) -> Device:
    root = namespaces.workdir / name
    return Device(name, Installation(product.appliance, root, namespaces.name(name)), root / "logs")


def _cold_boot(namespaces: Namespaces, edge: Device) -> float:
    """Power off and on; the seconds until the tunnel is up."""
    namespaces.rebuild(_TOPOLOGY, "edge")
    shutil.rmtree(edge.root / "run")
    started = time.monotonic()
    edge.start(*Daemon)
    until(lambda: _tunnel_up(edge), "a tunnel", 60, 0.02)
    return time.monotonic() - started


def _with(edge: Device, program: tuple[str, ...]) -> Device:
    """The same device with another build of the appliance."""
    return replace(edge, installation=replace(edge.installation, program=program), daemons={})


def _tunnel_up(edge: Device) -> bool:
    try:
        tunnels = status(edge.run_directory / "status.sock").tunnels
    except DoorError:
        return False
    return any(tunnel.up for tunnel in tunnels.values())


def _spread(values: list[float]) -> Spread:
    return {
        "median": round(median(values), 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
        "runs": len(values),
    }
