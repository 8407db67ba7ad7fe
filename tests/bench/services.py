# SPDX-License-Identifier: Apache-2.0
"""`services`: our flat map beside iptables and beside a chain for every service, in one run on one kernel.

Replacing everything, changing one backend, and ten times as many services; meanwhile a client connects
through one of the services all the time, and none of its connections may fail.
"""

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import IPv4Address, ip_network
from statistics import median

import msgspec

from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.firewall import firewall
from appliance.netcore.kernel.nft import NftTable
from appliance.netcore.kernel.nft_generation import generation
from appliance.netcore.plan.model import Backend, Plan, Service, ServicePort
from appliance.netcore.plan.values import Protocol, Tier
from appliance.netcore.ruleset import Ruleset, difference
from tests.bench.outcome import Outcome, say
from tests.contract.namespace import ip, own_namespace
from tests.unit.plan.plans import edge_plan

FEW, MANY, BACKENDS, PAIRS = 1_000, 10_000, 2, 7
#: At most so much of what iptables needs to replace all, and for one backend; and t(10,000) over t(1,000).
TARGET, TARGET_ONE, TARGET_GROWTH = 0.35, 0.05, 12.0
_FIRST_SERVICE, _FIRST_BACKEND = IPv4Address("10.96.0.1"), IPv4Address("10.200.64.1")
_PORT, _BACKEND_PORT = 80, 8080


def run() -> Outcome:
    """Needs root; runs in a network namespace that it makes for itself."""
    with own_namespace():
        return asyncio.run(_measure())


async def _measure() -> Outcome:
    few, many = _ruleset(FEW), _ruleset(MANY)
    table = NftTable(generation=generation)
    async with _Client() as client:
        await table.replace(many)
        client.start()
        say(f"{MANY} services, {PAIRS} pairs: ours, iptables")
        ours, tables = [], []
        for _ in range(PAIRS):
            ours.append(await _timed(lambda: table.replace(many)))
            tables.append(await _fed(_iptables(MANY), "iptables-legacy-restore"))
        say("one backend of one service")
        changed = [await _timed(lambda: _change_one(table, many)) for _ in range(PAIRS)]
        say(f"{FEW} services, and a chain for every service")
        small = [await _timed(lambda: table.replace(few)) for _ in range(PAIRS)]
        chains = await _fed(_chains(FEW), "nft", "-f", "-")
        failed, connected = await client.stop()
    value, one = median(ours) / median(tables), median(changed) / median(tables)
    growth = median(ours) / median(small)
    return Outcome(
        bench="services",
        target=TARGET,
        value=round(value, 3),
        unit="of iptables-legacy-restore's time, replacing all",
        ok=value <= TARGET and one <= TARGET_ONE and growth <= TARGET_GROWTH and failed == 0,
        detail={
            "services": MANY,
            "backends_each": BACKENDS,
            "ours_s": _spread(ours),
            "iptables_s": _spread(tables),
            "one_backend": {"share": round(one, 4), "target": TARGET_ONE, "s": _spread(changed)},
            "growth": {"value": round(growth, 1), "target": TARGET_GROWTH, "ours_few_s": _spread(small)},
            "chain_per_service_few_s": round(chains, 3),
            "connects": connected,
            "failed_connects": failed,
        },
    )


def _plan(count: int) -> Plan:
    """shop1's plan with so many services; the first one is answered here, for the client."""
    services = {f"default/s{index}": _service(index) for index in range(count)}
    return msgspec.structs.replace(
        edge_plan(),
        services=services,
        prefixes=(ip_network("10.200.0.0/16"), ip_network("fd00:200:0:1::/64")),
        peers={},
    )


def _service(index: int) -> Service:
    backends = {
        f"b{slot}": Backend(address=_backend(index, slot), port=_BACKEND_PORT, tier=Tier.NODE)
        for slot in range(BACKENDS)
    }
    port = ServicePort(protocol=Protocol.TCP, port=_PORT, backends=backends)
    return Service(addresses=(_FIRST_SERVICE + index,), ports={"http": port})


def _backend(index: int, slot: int) -> IPv4Address:
    return _FIRST_BACKEND + index * BACKENDS + slot


def _ruleset(count: int) -> Ruleset:
    return firewall(_plan(count), Facts())


async def _change_one(table: NftTable, there: Ruleset) -> None:
    """A backend of the last service moves to another address, and back: two changes."""
    service = f"tcp . {_FIRST_SERVICE + MANY - 1} "
    elements = there.elements["backends4"]
    key = next(key for key in elements if key.startswith(service))
    moved = {**there.elements, "backends4": {**elements, key: f"10.200.255.1 . {_BACKEND_PORT}"}}
    await table.change(difference(there.elements, moved))
    await table.change(difference(moved, there.elements))


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def _fed(text: str, *command: str) -> float:
    start = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    _, complaint = await process.communicate(text.encode())
    if process.returncode:
        raise RuntimeError(f"{command[0]}: {complaint.decode()[:200]}")
    return time.perf_counter() - start


def _iptables(count: int) -> str:
    """As kube-proxy writes it: a chain for each service and one for each backend."""
    return "\n".join(("*nat", *_iptables_lines(count), "COMMIT", ""))


def _iptables_lines(count: int) -> Iterator[str]:
    yield ":BENCH-SERVICES - [0:0]"
    for index in range(count):
        yield f":SVC-{index} - [0:0]"
        yield from (f":SEP-{index}-{slot} - [0:0]" for slot in range(BACKENDS))
    for index in range(count):
        address = _FIRST_SERVICE + index
        yield f"-A BENCH-SERVICES -d {address}/32 -p tcp -m tcp --dport {_PORT} -j SVC-{index}"
        for slot in range(BACKENDS):
            chance = 1 / (BACKENDS - slot)
            draw = f"-m statistic --mode random --probability {chance:.5f} " if chance < 1 else ""
            yield f"-A SVC-{index} {draw}-j SEP-{index}-{slot}"
            backend = f"{_backend(index, slot)}:{_BACKEND_PORT}"
            yield f"-A SEP-{index}-{slot} -p tcp -m tcp -j DNAT --to-destination {backend}"


def _chains(count: int) -> str:
    """The other usual shape in nftables: a verdict map to a chain for each service."""
    lines = ["table ip bench { map services { type ipv4_addr . inet_service : verdict; }"]
    for index in range(count):
        draws = ", ".join(f"{slot} : {_backend(index, slot)} . {_BACKEND_PORT}" for slot in range(BACKENDS))
        draw = f"numgen random mod {BACKENDS} map {{ {draws} }}"
        lines.append(f"chain s{index} {{ meta l4proto tcp dnat ip to {draw}; }}")
    elements = ", ".join(f"{_FIRST_SERVICE + index} . {_PORT} : goto s{index}" for index in range(count))
    return "\n".join([*lines, "}", f"add element ip bench services {{ {elements} }}", ""])


def _spread(times: list[float]) -> dict[str, float]:
    return {"min": round(min(times), 4), "median": round(median(times), 4), "max": round(max(times), 4)}


class _Client:
    """Connects through the first service again and again, while the tables are changed under it."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._task: asyncio.Task[None] | None = None
        self._failed = 0
        self._connected = 0

    async def __aenter__(self) -> "_Client":
        ip("route add 10.96.0.0/16 dev lo")
        for slot in range(BACKENDS):
            ip(f"addr add {_backend(0, slot)}/32 dev lo")
            serve = await asyncio.start_server(self._greet, str(_backend(0, slot)), _BACKEND_PORT)
            self._servers.append(serve)
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()

    def start(self) -> None:
        self._task = asyncio.create_task(self._connect_on())

    async def stop(self) -> tuple[int, int]:
        """How many connections failed, and how many came about."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        return self._failed, self._connected

    async def _connect_on(self) -> None:
        while True:
            try:
                async with asyncio.timeout(2):
                    reader, writer = await asyncio.open_connection(str(_FIRST_SERVICE), _PORT)
                    answered = await reader.read(1)
            except OSError:
                self._failed += 1
            else:
                writer.close()
                self._connected += answered == b"x"
            await asyncio.sleep(0.005)

    @staticmethod
    async def _greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x")
        writer.close()
