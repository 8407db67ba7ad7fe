# SPDX-License-Identifier: Apache-2.0
"""Build a topology from network namespaces, and remove exactly what was built.

Every name has a prefix that belongs to one run, and the run's record is on disk before anything is made,
so that what a killed run left behind can be found and removed later.
"""

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab import nat
from tests.lab.command import LabError, attempt, run
from tests.lab.conditions import RelayedLink
from tests.lab.process import Process, is_running, kill_all
from tests.lab.topology import Address, End, Host, HostRole, Link, Route, Topology

_RESOLVERS = Path("/etc/netns")
_RECORD = "lab.json"
#: The tree that this code belongs to.
CHECKOUT = str(Path(__file__).resolve().parents[2])

#: A router forwards and has no opinion on paths.
_ROUTER = {
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
}
#: A fresh Debian 12 (systemd's 50-default.conf): the appliance has to cope with it, and to put it back.
_FRESH_HOST = {
    "net.ipv4.ip_forward": "0",
    "net.ipv6.conf.all.forwarding": "0",
    "net.ipv4.conf.all.rp_filter": "2",
    "net.ipv4.conf.default.rp_filter": "2",
    "net.ipv4.conf.all.send_redirects": "1",
    "net.ipv4.conf.default.send_redirects": "1",
}


@dataclass(frozen=True)
class Record:
    """Whose run this is: the names' prefix, its process and checkout, and whether it made /etc/netns."""

    prefix: str
    owner: int
    made_directory: bool
    checkout: str = ""


class Namespaces:
    """The namespaces, links and relays of one run. `workdir` holds its record, sockets and logs."""

    def __init__(self, workdir: Path) -> None:
        self.workdir = workdir
        self.prefix = _unused_prefix()
        self.relays: dict[Link, Process] = {}
        workdir.mkdir(parents=True, exist_ok=True)
        self._record = Record(self.prefix, os.getpid(), not _RESOLVERS.exists(), CHECKOUT)
        (workdir / _RECORD).write_text(json.dumps(asdict(self._record)))

    def name(self, host: str) -> str:
        """The namespace of a host, or of a pod."""
        return f"{self.prefix}-{host}"

    def build(self, topology: Topology) -> None:
        """Make every host and link, then addresses, routes and address translation."""
        for host in topology.hosts:
            self._make_host(host)
        for link in topology.links:
            self._make_link(link)
        for end in topology.bridge_addresses:
            self._address(end)
        for link in topology.links:
            self._address(link.a)
            self._address(link.b)
        for host in topology.hosts:
            self._route(host)
        for translation in topology.nats:
            nat.apply(self.name(translation.host), translation)

    def add(self, name: str, resolvers: tuple[Address, ...] = (), search: str = "") -> str:
        """Make one namespace with its loopback up and its own resolv.conf; returns its full name."""
        full = self.name(name)
        settings = _RESOLVERS / full
        settings.mkdir(parents=True, exist_ok=True)
        lines = [f"nameserver {address}" for address in resolvers]
        lines += [f"search {search}", "options ndots:5 timeout:2 attempts:2"] if search else []
        (settings / "resolv.conf").write_text("".join(f"{line}\n" for line in lines))
        run("ip", "netns", "add", full)
        run("ip", "-n", full, "link", "set", "lo", "up")
        return full

    def drop(self, name: str) -> None:
        """Remove one namespace, with every process in it; that there is none is fine."""
        _remove(self.name(name))

    def rebuild(self, topology: Topology, host: str) -> None:
        """Make a host anew, as a power cycle does: kernel state gone, cables plugged in as before.

        The host must have no relayed link: its interfaces would be gone with the relay.
        """
        for link in topology.links_of(host):
            if link.relayed:
                raise LabError(f"{host} ends a relayed link and can't be power-cycled")
            run("ip", "-n", self.name(host), "link", "del", link.end(host).interface)
        self.drop(host)
        self._make_host(topology.host(host))
        for link in topology.links_of(host):
            self._make_link(link)
            self._address(link.a)
            self._address(link.b)
        self._route(topology.host(host))

    def relayed(self, link: Link) -> RelayedLink:
        """The handle of a relayed link's conditions."""
        return RelayedLink(self._control(link))

    def unplug(self, end: End) -> None:
        """Take the far end of a cable down: `end` keeps its settings and loses its carrier."""
        run("ip", "-n", self.name(end.host), "link", "set", end.interface, "down")

    def plug_in(self, end: End) -> None:
        run("ip", "-n", self.name(end.host), "link", "set", end.interface, "up")

    def pids(self, host: str) -> list[int]:
        """The processes in a host."""
        return _pids(self.name(host))

    def remove(self) -> None:
        """Remove every namespace of this run, the processes in them, and the resolv.confs."""
        for relay in self.relays.values():
            relay.kill()
        remove_run(self._record)

    def _make_host(self, host: Host) -> None:
        name = self.add(host.name, host.resolvers)
        settings = _ROUTER if host.role is HostRole.ROUTER else _FRESH_HOST
        run("sysctl", "-qw", *(f"{key}={value}" for key, value in settings.items()), ns=name)
        for bridge in host.bridges:
            run("ip", "-n", name, "link", "add", bridge, "type", "bridge")
            run("ip", "-n", name, "link", "set", bridge, "up")

    def _make_link(self, link: Link) -> None:
        a, b = self.name(link.a.host), self.name(link.b.host)
        if link.relayed:
            self._start_relay(link, a, b)
        else:
            peer = ("peer", "name", link.b.interface, "netns", b)
            run("ip", "link", "add", link.a.interface, "netns", a, "type", "veth", *peer)
        for end in (link.a, link.b):
            if end.bridge:
                run("ip", "-n", self.name(end.host), "link", "set", end.interface, "master", end.bridge)
            run("ip", "-n", self.name(end.host), "link", "set", end.interface, "up")

    def _start_relay(self, link: Link, a: str, b: str) -> None:
        control = self._control(link)
        control.parent.mkdir(exist_ok=True)
        ends = (a, link.a.interface, b, link.b.interface)
        # In one of the two namespaces, so that it is found there by whoever cleans up.
        command = (sys.executable, "-m", "tests.lab.emulator", *ends, str(control))
        relay = Process(command, control.with_suffix(".log"), ns=b)
        relay.wait_for("ready", 10)
        self.relays[link] = relay

    def _control(self, link: Link) -> Path:
        return self.workdir / "relays" / f"{link.a.host}.sock"

    def _address(self, end: End) -> None:
        for address in end.addresses:
            # An address under duplicate detection counts as missing, and nobody else is in the lab.
            nodad = ("nodad",) if address.version == 6 else ()
            command = ("ip", "-n", self.name(end.host), "address", "replace")
            run(*command, str(address), "dev", end.interface, *nodad)

    def _route(self, host: Host) -> None:
        for route in host.routes:
            run("ip", "-n", self.name(host.name), "route", "replace", *_route_words(route))


def remove_left_over(parent: Path, pattern: str, checkout: str = CHECKOUT) -> list[Path]:
    """Remove the runs of a checkout below `parent` whose process is no more; returns their directories.

    Somebody else's, who works in another checkout, may be kept for a reason.
    """
    removed = []
    for workdir in parent.glob(pattern):
        record = read_record(workdir)
        if record and record.checkout == checkout and not is_running(record.owner):
            remove_run(record)
            shutil.rmtree(workdir)
            removed.append(workdir)
    return removed


def read_record(workdir: Path) -> Record | None:
    """The record of the run that works in this directory, if that is one."""
    try:
        fields = json.loads((workdir / _RECORD).read_text())
        return Record(**fields)
    except (OSError, ValueError, TypeError):
        return None


def remove_run(record: Record) -> None:
    """Remove every namespace of one run and the resolv.confs made for them."""
    names = list(_named(record.prefix))
    kill_all([pid for name in names for pid in _pids(name)])
    for name in names:
        _remove(name)
    for settings in _RESOLVERS.glob(f"{record.prefix}-*"):
        shutil.rmtree(settings)
    if record.made_directory:
        with suppress(OSError):  # another run may have its files there
            _RESOLVERS.rmdir()


def _remove(name: str) -> None:
    kill_all(_pids(name))
    if Path(f"/run/netns/{name}").exists():
        run("ip", "netns", "del", name)
    shutil.rmtree(_RESOLVERS / name, ignore_errors=True)


def _pids(name: str) -> list[int]:
    return [int(word) for word in attempt("ip", "netns", "pids", name).out.split()]


def _named(prefix: str) -> Iterator[str]:
    directory = Path("/run/netns")
    if directory.exists():
        yield from (path.name for path in sorted(directory.glob(f"{prefix}-*")))


def _unused_prefix() -> str:
    while True:
        prefix = f"or{secrets.token_hex(2)}"
        if not any(_named(prefix)):
            return prefix


def _route_words(route: Route) -> tuple[str, ...]:
    return (str(route.prefix) if route.prefix else "default", "via", str(route.via))
