# SPDX-License-Identifier: Apache-2.0
"""Two edges and a connector as machines, around an internet and an operator in namespaces.

operator (namespace), hub (machine) ── dc ── inet ── site-1 ── edge-1 (machine)
                                                 └── site-2 ── edge-2 (machine)
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

from tests.lab import capture
from tests.lab.capture import Capture
from tests.lab.command import LabError, run
from tests.lab.demo import manifests
from tests.lab.device import Device
from tests.lab.namespaces import Namespaces
from tests.lab.operator import Operator, init_options
from tests.lab.process import SOURCE
from tests.lab.product import Installation, Product
from tests.lab.residue import HostState, look
from tests.lab.topology import End, Host, HostRole, Link, Route, Topology
from tests.lab.wait import until
from tests.vm.guest import Guest
from tests.vm.machine import Machine, Nic
from tests.vm.source import lay_out
from tests.vm.system import System

HUB = "connector-1"
EDGES = ("edge-1", "edge-2")
INTERNET = "inet"
POD_POOL = ("10.200.0.0/16", "fd00:200::/48")
OVERLAY_POOL = ("10.255.0.0/16", "fd00:255::/64")
OPERATOR = IPv4Address("203.0.113.10")
_GATEWAYS = {
    "dc": IPv4Interface("203.0.113.1/24"),
    "site-1": IPv4Interface("198.51.100.1/30"),
    "site-2": IPv4Interface("198.51.100.5/30"),
}
_PLACES = {
    HUB: ("dc", IPv4Interface("203.0.113.11/24")),
    "edge-1": ("site-1", IPv4Interface("198.51.100.2/30")),
    "edge-2": ("site-2", IPv4Interface("198.51.100.6/30")),
}
_UNITS = ("orillo-charon.service", "orillo.service")
# What the package puts in place, without its installation, which takes the emulation minutes.
_SET_UP = """
cd /media/vm/package
tar --exclude=./usr/lib/orillo -cf - . | tar -C / --no-overwrite-dir -xf -
ln -s /media/vm/package/usr/lib/orillo /usr/lib/orillo
systemd-tmpfiles --create
systemctl mask -q orillo-dns.service
{patience}
{net}
"""
_NET = """
hostname {name}
ip link set eth0 up
ip address add {address} dev eth0
ip route add default via {gateway}
"""
_PATIENCE = """
for unit in {units}; do
  place=/etc/systemd/system/$unit.service.d
  mkdir -p $place
  printf '[Service]\\nWatchdogSec=0\\nTimeoutStartSec=infinity\\n' >$place/slow.conf
done
systemctl daemon-reload
"""
_ASK = """
socket(S, PF_UNIX, SOCK_STREAM, 0) or die;
connect(S, sockaddr_un("/run/orillo/status.sock")) or exit 3;
syswrite(S, <STDIN>);
print scalar(<S>);
"""
VICI = "unix:///run/orillo/charon.vici"

log = logging.getLogger(__name__)


def topology() -> Topology:
    """What stands around the machines."""
    operator = End("operator", "public", (IPv4Interface(f"{OPERATOR}/24"),))
    return Topology(
        hosts=(
            Host(INTERNET, HostRole.ROUTER, bridges=tuple(_GATEWAYS)),
            Host("operator", HostRole.OPERATOR, (Route(_GATEWAYS["dc"].ip),)),
        ),
        links=(Link(operator, End(INTERNET, "p-operator", bridge="dc")),),
        bridge_addresses=tuple(End(INTERNET, name, (address,)) for name, address in _GATEWAYS.items()),
    )


@dataclass(frozen=True)
class Box:
    """A machine with the appliance on it."""

    machine: System

    def status(self) -> dict[str, Any]:
        """What the agent answers to `status`; empty while it does not answer.

        Asked by Perl, which Debian always has: the command itself takes the emulation many seconds to load.
        """
        said = self.machine.call("perl", "-MSocket", "-e", _ASK, feed='{"op":"status"}\n').out
        try:
            return dict(json.loads(said)["status"])
        except (ValueError, LookupError):
            return {}

    def enroll(self, token: str) -> None:
        """Enrol, with the token on standard input."""
        self.machine.run("orillo", "enroll", "-", feed=token + "\n", timeout=900)

    def start(self) -> None:
        """Start agent and charon as systemd would at boot, without waiting for them."""
        self.machine.run("systemctl", "start", "--no-block", *_UNITS)

    def state(self) -> HostState:
        """What its kernel holds."""
        return look("", lambda *argv, ns: self.machine.run(*argv))

    def journal(self) -> str:
        """The last words of its services."""
        return self.machine.call("journalctl", "--no-pager", "-n", "30", "-o", "short-monotonic").text

    def swanctl(self, *words: str) -> str:
        return self.machine.run("swanctl", *words, "--uri", VICI)


@dataclass(frozen=True)
class World:
    """All of it, running. `wire` has seen all of the internet; `before` is from before the appliance."""

    namespaces: Namespaces
    operator: Operator
    wire: Capture
    boxes: dict[str, Box]
    before: dict[str, HostState] = field(default_factory=dict)

    def end(self) -> None:
        """Switch everything off."""
        for box in self.boxes.values():
            box.machine.power_off()
        self.operator.stop()


def package(architecture: str) -> Path:
    """The package that `./dev build --deb` made. Raises `LabError`."""
    made = sorted((SOURCE / "build" / architecture).glob(f"orillo_*_{architecture}.deb"))
    if not made:
        raise LabError(f"there is no package: ./dev build --deb --arch {architecture} makes it")
    return max(made, key=lambda path: path.stat().st_mtime)


def build(namespaces: Namespaces, guests: dict[str, Guest]) -> World:
    """Everything up to every box enrolled and started. `guests` says which guest each box is.

    Enrolled by the same code, but outside and before they start, since it takes the emulation a minute.
    """
    started = time.monotonic()
    operator, wire = around(namespaces)
    machines = {name: machine(namespaces, name, found, place(name)[0]) for name, found in guests.items()}
    world = World(namespaces, operator, wire, {name: Box(made) for name, made in machines.items()})
    try:
        for name, made in machines.items():
            made.files["state"] = _enrolled(world, name)
            made.power_on()
        with ThreadPoolExecutor(len(machines)) as workers:
            list(workers.map(lambda one: _start(world, one), machines.values()))
    except BaseException:
        world.end()
        raise
    log.info("%d machines up and started in %.0f s", len(machines), time.monotonic() - started)
    return world


def around(namespaces: Namespaces) -> tuple[Operator, Capture]:
    """What stands around the machines, running: the operator, which knows them all, and a capture."""
    namespaces.build(topology())
    workdir = namespaces.workdir
    installation = Installation(Product().cloud, workdir / "operator", namespaces.name("operator"))
    operator = Operator(installation, workdir / "operator/serve.log")
    inner = " or ".join(f"net {prefix}" for prefix in (*POD_POOL, *OVERLAY_POOL))
    outer = "udp port 500 or udp port 4500 or esp"
    wire = capture.start(namespaces.name(INTERNET), "any", workdir / "internet.pcap", f"{outer} or {inner}")
    _start_operator(operator, workdir)
    return operator, wire


def place(name: str) -> tuple[Nic, IPv4Interface, IPv4Address]:
    """Where a box is plugged in, its address there and its gateway."""
    bridge, address = _PLACES[name]
    nic = Nic(f"t-{name}", bridge, f"52:54:00:00:00:{int(address.ip) & 0xFF:02x}")
    return nic, address, _GATEWAYS[bridge].ip


def machine(namespaces: Namespaces, name: str, found: Guest, nic: Nic) -> Machine:
    """A machine at the internet's host, with the appliance beside it in its `files`."""
    where = (namespaces.name(INTERNET), namespaces.workdir / name)
    tree = _appliance(namespaces.workdir, found.architecture)
    return Machine(name, found, *where, nics=(nic,), files={"package": tree})


def patience(*units: str) -> str:
    """A script that gives units all the time of an emulation: no limit to a start, and no watchdog."""
    return _PATIENCE.format(units=" ".join(units))


def on_the_net(name: str, address: IPv4Interface, gateway: IPv4Address) -> str:
    """A script that gives a machine its name and its uplink."""
    return _NET.format(name=name, address=address, gateway=gateway)


def set_up(machine: Machine, address: IPv4Interface, gateway: IPv4Address) -> None:
    """Put the appliance in its place, without starting it, and the machine on the net."""
    slow, net = patience("orillo", "orillo-charon"), on_the_net(machine.name, address, gateway)
    machine.script(_SET_UP.format(patience=slow, net=net))


def _appliance(workdir: Path, architecture: str) -> Path:
    """What the package holds, as a directory; with ORILLO_VM=source what it would hold, uncompiled."""
    tree = workdir / f"package-{architecture}"
    if not tree.exists():
        if os.environ.get("ORILLO_VM") == "source":
            lay_out(tree)
        else:
            run("dpkg-deb", "-x", str(package(architecture)), str(tree), timeout=60)
    return tree


def _enrolled(world: World, name: str) -> Path:
    """The state directory of a device that has just enrolled."""
    root = world.namespaces.workdir / f"root-{name}"
    place = Installation(Product().appliance, root, world.namespaces.name(INTERNET))
    Device(name, place, root / "logs").enroll(world.operator.token(name))
    return root / "var/lib/orillo"


def _start_operator(operator: Operator, workdir: Path) -> None:
    operator.init("lab", *init_options(str(OPERATOR), pod_pool=POD_POOL, overlay_pool=OVERLAY_POOL))
    operator.start()
    documents = [_connector(), *map(manifests.edge, EDGES), manifests.community(EDGES)]
    operator.apply(manifests.write(workdir / "site.yaml", *documents))


def _connector() -> str:
    address = _PLACES[HUB][1].ip
    return f"""apiVersion: v1
kind: Node
metadata:
  name: {HUB}
  annotations: {{fabedge.io/node-public-addresses: {address}}}
  labels: {{node-role.kubernetes.io/connector: "", orillo.io/site: cloud}}
status:
  addresses: [{{type: InternalIP, address: {address}}}]
"""


def _start(world: World, machine: Machine) -> None:
    box, (_, address, gateway) = world.boxes[machine.name], place(machine.name)
    machine.wait()
    set_up(machine, address, gateway)
    world.before[machine.name] = box.state()
    machine.script("mkdir -p /var/lib/orillo; cp -a /media/vm/state/. /var/lib/orillo")
    box.start()


def tunnels_up(status: Mapping[str, Any]) -> bool:
    """Whether it has tunnels, and all of them carry something."""
    tunnels = status.get("tunnels") or {}
    return bool(tunnels) and all(one["up"] for one in tunnels.values())


def wait_for(box: Box, what: str, holds: Callable[[dict[str, Any]], object], seconds: float = 300) -> None:
    """Wait until its status is as wished."""

    def look() -> bool:
        status = box.status()
        return bool(status and holds(status))

    until(look, f"{box.machine.name}: {what}", seconds, 5, lambda: f"{box.status()}\n{box.journal()}")
