# SPDX-License-Identifier: Apache-2.0
"""Two operators as programs of their own on one API server, and devices that know one address of both."""

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from appliance.netcore.plan.exchange import Report
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.token import parse_token
from appliance.paths import Paths
from appliance.sync.control import ControlClient
from appliance.sync.enroll import enroll
from appliance.sync.follow import Follower, Listeners
from appliance.sync.store import Held
from cloud.paths import CloudPaths
from cloud.replicas.books import Page, read_page
from cloud.replicas.ledger import LEDGERS
from cloud.settings import Settings, write_settings
from tests.kube.cluster import until
from tests.kube.proxy import Proxy
from tests.kube.server import OPERATOR_TOKEN, KubeServer
from tests.lab.process import Process, environment

#: What takes long; `./dev kube replicas` runs it.
LONG = pytest.mark.skipif(not os.environ.get("ORILLO_REPLICAS"), reason="long: ./dev kube replicas runs it")
_PROGRAM = (sys.executable, "-m", "cloud.cli.main")


def free_ports(count: int) -> list[int]:
    """Ports that nobody has at any address of loopback."""
    probes = [socket.create_server(("", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def operator_process(root: Path, config: Path, log: Path) -> Process:
    """An operator below this root, that follows a cluster."""
    words = ("--root", str(root), "serve", "--kubernetes", "--kubeconfig", str(config))
    return Process((*_PROGRAM, *words), log, env=environment())


@dataclass
class Replica:
    """One operator at an address of its own, and its way to the API server."""

    name: str
    address: str
    root: Path
    config: Path
    log: Path
    proxy: Proxy
    process: Process | None = None

    def start(self) -> None:
        """Start it; what it said before is out of sight."""
        self.process = operator_process(self.root, self.config, self.log)

    @property
    def running(self) -> Process:
        assert self.process
        return self.process

    def said(self, text: str) -> bool:
        """Whether it said this since it was started."""
        assert self.running.alive, self.running.output()
        return text in self.running.output()

    async def command(self, *words: str) -> str:
        """What another verb says, which asks this operator."""
        argv = (*_PROGRAM, "--root", str(self.root), *words)
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*argv, stdout=pipe, stderr=pipe, env=environment())
        out, err = await child.communicate()
        assert child.returncode == 0, err.decode()
        return out.decode()


class Front:
    """What a Service is: one address, and whoever is ready behind it, by chance."""

    def __init__(self, port: int, backends: Iterable[Replica]) -> None:
        self.backends = list(backends)
        self._port = port
        self._open: dict[asyncio.StreamWriter, str] = {}

    async def start(self) -> asyncio.Server:
        """Listen."""
        return await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    def cut(self, address: str = "") -> None:
        """Reset the connections to this replica, or to all."""
        for writer, where in list(self._open.items()):
            if not address or where == address:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for replica in random.sample(self.backends, len(self.backends)):
            address = replica.address
            try:
                back, forth = await asyncio.open_connection(address, self._port)
            except OSError:
                continue
            self._open[writer] = address
            ways = [asyncio.create_task(_pump(reader, forth)), asyncio.create_task(_pump(back, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                del self._open[writer]
                for end in (forth, writer):
                    end.transport.abort()
                await asyncio.gather(*ways, return_exceptions=True)
            return
        writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()


@dataclass
class Site:
    """One device: the appliance's own client, and everything that it was told."""

    name: str
    follower: Follower
    told: list[Plan] = field(default_factory=list)
    #: How long it was without its channel, each time, in seconds.
    gaps: list[float] = field(default_factory=list)
    lost: float | None = None
    work: asyncio.Task[None] | None = None

    @property
    def generation(self) -> int:
        """Of the newest plan."""
        return self.told[-1].generation if self.told else 0

    def looks(self) -> None:
        """Its channel has come, or has gone."""
        now = asyncio.get_running_loop().time()
        if self.follower.control.connected:
            if self.lost is not None:
                self.gaps.append(now - self.lost)
            self.lost = None
        elif self.lost is None and self.told:
            self.lost = now


@dataclass
class Fleet:
    """All of it."""

    kube: KubeServer
    replicas: list[Replica]
    fronts: list[Front]
    folder: Path
    sites: dict[str, Site] = field(default_factory=dict)

    @property
    def leader(self) -> Replica:
        """The one that the ledger and the Lease say."""
        lease = self.kube.ask("GET", f"{_LEASES}/orillo-cloud")
        return next(r for r in self.replicas if r.address in _control_of(lease))

    @property
    def other(self) -> Replica:
        """The one that does not lead."""
        leader = self.leader
        return next(replica for replica in self.replicas if replica is not leader)

    def serve_by(self, *replicas: Replica) -> None:
        """Devices come to these from now on, and those at others come back at once."""
        for front in self.fronts:
            front.backends = list(replicas)
            for replica in self.replicas:
                if replica not in replicas:
                    front.cut(replica.address)

    def pages(self) -> dict[str, Page]:
        """The ledger as the API server has it."""
        found = [read_page(body) for body in self.kube.ask("GET", LEDGERS.path)["items"]]
        return {page.name: page for page in found}

    def heads(self) -> dict[str, int]:
        """The number of the plan that each device is to have."""
        return {n: head.generation for page in self.pages().values() for n, head in page.plans.items()}

    async def join(self, token: str, name: str) -> Site:
        """Enrol a device and let it follow."""
        paths = Paths(self.folder / name)
        device = await enroll(paths, parse_token(token), name)
        told: list[Plan] = []

        def keep(held: Held) -> None:
            told.append(held.plan)

        def report() -> Report:
            plan = told[-1] if told else None
            digest = site.follower.held.digest if site.follower.held else ""
            now = datetime.now(UTC)
            return Report(device.identity, "0.1.0", now, plan.generation if plan else 0, digest, "libipsec")

        tell = Listeners(report, lambda: None, keep, lambda _: None, lambda: site.looks())
        site = Site(name, Follower(paths, device, None, ControlClient, tell), told)
        site.work = asyncio.create_task(site.follower.run())
        self.sites[name] = site
        return site

    async def settled(self, seconds: float = 25.0) -> None:
        """Every device has the plan that the ledger says, and the ledger rests."""

        def rests() -> bool:
            heads = self.heads()
            return all(heads.get(name) == site.generation for name, site in self.sites.items())

        await until(rests, "every device has its newest plan", seconds)


_LEASES = "/apis/coordination.k8s.io/v1/namespaces/orillo-system/leases"


def _control_of(lease: dict[str, Any]) -> str:
    holder = lease.get("spec", {}).get("holderIdentity", "")
    return lease["metadata"].get("annotations", {}).get("orillo.io/control", "") if holder else ""


@asynccontextmanager
async def fleet_on(kube: KubeServer, folder: Path, started: str = "ab") -> AsyncIterator[Fleet]:
    """Two replicas, called a and b, one address before them, and no device yet."""
    control, enrolment = free_ports(2)
    async with AsyncExitStack() as stack:
        replicas = []
        for number, name in ((2, "a"), (3, "b")):
            proxy = await stack.enter_async_context(Proxy(kube.port))
            replica = _replica(kube, folder, name, f"127.0.0.{number}", proxy)
            wish = Settings("lab", ("127.0.0.1",), control, enrolment, listen=replica.address)
            write_settings(CloudPaths(replica.root).settings, wish)
            replicas.append(replica)
        fronts = [Front(port, replicas) for port in (control, enrolment)]
        fleet = Fleet(kube, replicas, fronts, folder)
        stack.push_async_callback(_end, fleet, [await front.start() for front in fronts])
        running = [replica for replica in replicas if replica.name in started]
        for replica in running:
            replica.start()
        await until(
            lambda: (
                any(replica.said("event=leading ") for replica in running)
                and all(replica.said("event=serving ") for replica in running)
            ),
            "both serve, one leads",
            30,
        )
        yield fleet


def _replica(kube: KubeServer, folder: Path, name: str, address: str, proxy: Proxy) -> Replica:
    config = folder / f"{name}.kubeconfig"
    text = kube.kubeconfig(OPERATOR_TOKEN).read_text()
    config.write_text(text.replace(f":{kube.port}", f":{proxy.port}"))
    return Replica(name, address, folder / name, config, folder / f"{name}.log", proxy)


async def _end(fleet: Fleet, servers: list[asyncio.Server]) -> None:
    for site in fleet.sites.values():
        if site.work:
            site.work.cancel()
            with suppress(asyncio.CancelledError):
                await site.work
    for replica in fleet.replicas:
        if replica.process and replica.process.alive:
            os.kill(replica.process.pid, signal.SIGCONT)
            replica.process.stop()
    for server in servers:
        server.close()
    for front in fleet.fronts:
        front.cut()
