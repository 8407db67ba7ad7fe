# SPDX-License-Identifier: Apache-2.0
"""Two replicas that both believe they lead, cut off from one another at any moment, on one ledger.

No Lease is here at all: what is held is held by the ledger alone.
"""

import asyncio
import os
import random
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.app import App
from cloud.ca.issuer import Issuer
from cloud.ca.keys import PlanKey
from cloud.replicas.books import Head, Record, page_of, read_page
from cloud.replicas.lease import Election
from cloud.replicas.ledger import LEDGERS
from cloud.replicas.replica import OutrunError, Replica
from cloud.source.api import ApiError
from cloud.source.manifest import Manifest
from cloud.store.store import Store
from tests.fakes.kube_api import FakeKubeApi, KubeObjects
from tests.unit.endpoint.operators import settings as operator_settings

SHOPS = [f"shop{number}" for number in range(6)]
NAMES = [*SHOPS, *(f"late{number}" for number in range(7))]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def manifest(kind: str, name: str, **fields: Any) -> Manifest:
    version = "v1" if kind == "Node" else "orillo.io/v1alpha1"
    labels = {"node-role.kubernetes.io/edge": ""} if kind == "Node" else {}
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}, **fields}
    return Manifest(version, kind, "", name, body)


def community(port: int) -> Manifest:
    spec = {"members": SHOPS, "ports": [{"protocol": "TCP", "port": port}]}
    return manifest("Community", "all", spec=spec)


async def until(holds: Callable[[], object], what: str) -> None:
    """Look until it holds, and let the replicas work in between."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


@dataclass
class Rules:
    """What must hold after every single write to the server."""

    heads: dict[str, Head] = field(default_factory=dict)
    owners: dict[object, str] = field(default_factory=dict)

    def wrote(self, path: str, body: dict[str, Any]) -> None:
        if not path.startswith(LEDGERS.path):
            return
        page = read_page(body)
        for name, head in page.plans.items():
            before = self.heads.get(name, Head(0, "", ""))
            assert head.generation >= before.generation, (name, before, head)
            if head.generation == before.generation and not (head.withdrawn or before.withdrawn):
                assert head == before, (name, before, head)
            self.heads[name] = head
        for name, record in page.devices.items():
            for given_one in (*record.prefixes, *record.overlay):
                assert self.owners.setdefault(given_one, name) == name


class Bench:
    """A server, and replicas that come and go."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.server, self.rules = KubeObjects(), Rules()
        self.server.wrote = self.rules.wrote
        self.folder, self.chance = folder, chance
        self.keys = folder / "keys"
        self.keys.mkdir()
        self.issuer, self.plan_key = Issuer.create(self.keys, "lab", NOW), PlanKey.create(self.keys / "k")
        self.objects: dict[str, Manifest] = {}
        self.replicas: list[Replica] = []
        self.tasks: dict[int, list[asyncio.Task[Any]]] = {}
        self.apps: list[App] = []
        self.told: dict[str, int] = {}

    def given(self) -> dict[str, Record]:
        """Who was given what, as the server has it."""
        pages = [read_page(body) for path, body in self.server.objects.items() if "/devices-" in path]
        return {name: record for page in pages for name, record in page.devices.items() if record.prefixes}

    async def pause(self) -> None:
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)

    def start(self) -> Replica:
        """A replica with an empty disk."""
        number = len(self.apps)
        app = App(
            operator_settings(),
            Store.open(self.folder / f"{number}.sqlite"),
            self.issuer,
            self.plan_key,
            lambda: NOW,
        )
        self.apps.append(app)
        api: Any = FakeKubeApi(self.server, self.pause)
        replica = Replica(app, api, Election(api, "ns", identity=f"r{number}"))
        self.mirror(app)
        self.replicas.append(replica)
        work = (replica.pages.follow(lambda: None), replica._publish())
        self.tasks[id(replica)] = [asyncio.create_task(each) for each in work]
        return replica

    def mirror(self, app: App) -> None:
        """The replica hears of the objects as they are now."""
        with app.change("kubernetes"):
            app.store.objects.put(self.objects.values())

    async def step(self, what: str, number: int, which: int) -> None:
        replica = self.replicas[which % len(self.replicas)]
        app = replica._app
        with suppress(ApiError, OutrunError, asyncio.CancelledError):  # its replica may have died
            match what:
                case "lead":
                    await replica._take_over()
                case "yield":
                    if replica.shared.leads:
                        replica._step_down()
                case "enroll":
                    instance = f"i{len(self.server.history)}"
                    await replica.enroll(SHOPS[number % 6], instance, "key", alone=False)
                case "revoke":
                    await replica.revoke(SHOPS[number % 6])
                case "node":
                    self.objects[f"n{number}"] = manifest("Node", NAMES[number])
                    self.mirror(app)
                case "ports":
                    self.objects["all"] = community(1000 + number)
                    self.mirror(app)
                case "hear":
                    self.mirror(app)
                case "away":
                    replica._api.away = not replica._api.away  # type: ignore[attr-defined]
                case "die":
                    if replica in self.replicas:  # and did not die in this moment
                        self.start()
                        await self.end(replica)
                case "poll":
                    self.poll(app, SHOPS[number % 6])
        await self.pause()

    def poll(self, app: App, name: str) -> None:
        """What the replica knows is served at once only if the device can't have anything newer."""
        offer = app.offer(name)
        if offer.plan and offer.plan.generation >= self.told.get(name, 0):
            self.told[name] = offer.plan.generation
            head = self.rules.heads[name]
            assert offer.plan.generation <= head.generation

    async def end(self, replica: Replica) -> None:
        self.replicas.remove(replica)
        for task in self.tasks.pop(id(replica)):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def settle(self) -> None:
        """One leads in peace, and all hear all: everybody tells the same."""
        for replica in self.replicas:
            replica._api.away = False  # type: ignore[attr-defined]
            self.mirror(replica._app)
        while True:
            with suppress(ApiError, OutrunError):
                await self.replicas[0]._take_over()
                break
        async with asyncio.timeout(5):
            while not self.agree():
                await asyncio.sleep(0.01)

    def agree(self) -> bool:
        first = self.replicas[0]
        if first.shared.waits or first.shared._flying:
            return False
        wanted = set(first._app.engine().devices)
        for replica in self.replicas:
            for name in wanted:
                offer = replica._app.offer(name)
                head = self.rules.heads.get(name)
                if (
                    offer.plan is None
                    or head is None
                    or not head.names(offer.plan.generation, offer.plan.digest)
                ):
                    return False
        return True


SEEN = ("lead", "lead", "enroll", "enroll", "node", "node", "node", "ports", "hear", "hear", "poll")
STEPS = (*SEEN, "away", "die", "yield", "revoke")


@settings(max_examples=100 if os.environ.get("ORILLO_REPLICAS") else 8, deadline=None)
@given(
    st.integers(0, 2**32),
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 12), st.integers(0, 1)), max_size=30),
)
def test_no_prefix_twice_and_no_number_lower(seed: int, steps: list[tuple[str, int, int]]) -> None:
    asyncio.run(_play(random.Random(seed), steps))


async def _play(chance: random.Random, steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), chance)
        bench.objects["n0"] = manifest("Node", "shop0")
        bench.start()
        bench.start()
        running: list[asyncio.Task[None]] = []
        try:
            for what, number, which in steps:
                running.append(asyncio.create_task(bench.step(what, number, which)))
                await bench.pause()
            await asyncio.gather(*running)
            await bench.settle()
        finally:
            for replica in list(bench.replicas):
                await bench.end(replica)
            for app in bench.apps:
                app.store.close()


async def test_a_leader_that_slept_writes_nothing(tmp_path: Path) -> None:
    """It gives a new node what the leader after it gave to another one, and is refused."""
    bench = Bench(tmp_path, random.Random(1))
    asleep, awake = bench.start(), bench.start()
    try:
        bench.objects["n0"] = manifest("Node", "shop0")
        for replica in (asleep, awake):
            bench.mirror(replica._app)
        await asleep._take_over()
        await until(lambda: "shop0" in bench.given(), "the first node is given its prefixes")
        await awake._take_over()
        bench.objects["n1"] = manifest("Node", "shop1")
        bench.mirror(awake._app)
        await until(lambda: "shop1" in bench.given(), "the next leader gives")
        assert asleep.shared.leads
        bench.objects["n2"] = manifest("Node", "late")
        del bench.objects["n1"]  # it has not heard of this one
        bench.mirror(asleep._app)
        await until(lambda: not asleep.shared.leads, "it hears that it leads no more")
        assert set(bench.given()) == {"shop0", "shop1"}
    finally:
        for replica in (asleep, awake):
            await bench.end(replica)
            replica._app.store.close()


async def test_a_device_that_is_ahead_is_numbered_on(tmp_path: Path) -> None:
    """As after etcd was restored from a backup: the next plan is above what the device has."""
    bench = Bench(tmp_path, random.Random(1))
    leader, other = bench.start(), bench.start()
    try:
        bench.objects["n0"] = manifest("Node", "shop0")
        for replica in (leader, other):
            bench.mirror(replica._app)
        await leader._take_over()
        await other.enroll("shop0", "i1", "key", alone=False)
        await until(lambda: other._app.offer("shop0").plan, "it has a plan")
        await other.has("shop0", 41)
        await until(lambda: bench.rules.heads["shop0"].generation == 42, "its plan is numbered on")
        await until(lambda: other._app.offer("shop0").plan, "which the other one has as well")
    finally:
        for replica in (leader, other):
            await bench.end(replica)
            replica._app.store.close()


def test_pages_are_many_and_each_name_has_one() -> None:
    assert len({page_of("plans", f"shop{number}") for number in range(1000)}) == 16
