# SPDX-License-Identifier: Apache-2.0
"""The daemon: the one place where the adapters are wired together.

One loop does all the work: look at the box, pass over the tables, take one step of steering. Everything
else only wakes it. What it applied stays when it ends: charon, unbound and the kernel carry on without it.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from appliance.checks.box import OnDisk
from appliance.checks.questions import Questions
from appliance.checks.watch import Watch
from appliance.looks.offer import Desk
from appliance.membership import Membership, Surroundings
from appliance.netcore.charon.events import listen
from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.routes import routes
from appliance.netcore.desired.services import backends_at, far_homes, local_backends
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.capability import probe
from appliance.netcore.kernel.files import read_text
from appliance.netcore.kernel.memory import give_back, settle_allocator
from appliance.netcore.kernel.rtnetlink_watch import changes
from appliance.netcore.ownership.access import TlsFiles
from appliance.netcore.ownership.ownership import Ownership
from appliance.netcore.plan.exchange import PhaseCount, Report
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Address
from appliance.netcore.probe.backends import BackendProbes
from appliance.netcore.probe.hubs import TunnelProbes
from appliance.netcore.probe.icmp import Pinger
from appliance.netcore.probe.peers import PeerProbes
from appliance.netcore.reconcile.doors import Doors, look, open_doors
from appliance.netcore.reconcile.drift import DriftWatch
from appliance.netcore.reconcile.guard import Guard
from appliance.netcore.reconcile.passes import Wish, boot_order, signs
from appliance.netcore.reconcile.retries import Retries
from appliance.netcore.reconcile.steering import TunnelSteering
from appliance.netcore.reconcile.unmoved import Passes
from appliance.netcore.spec import Capability
from appliance.netcore.tunnel import Health, Reach
from appliance.notify import ALIVE, READY, STATUS, STOPPING, notify
from appliance.paths import Paths
from appliance.quiet import WhenQuiet
from appliance.settings import Settings
from appliance.snapshot import Known, news, report, snapshot
from appliance.status.headline import headline
from appliance.status.log import LogRing
from appliance.status.model import Snapshot
from appliance.status.server import Offered, StatusServer
from appliance.sync.hands import APART
from appliance.sync.identity import DeviceIdentity

log = logging.getLogger(__name__)

#: A full pass by the clock, in seconds: it finds drift that no event told of.
RESYNC = 30.0
#: How long after the last pass the memory that it used is given back, seconds.
QUIET = 3.0
#: After a pass that could not even look, seconds.
RETRY = 2.0


async def run(paths: Paths, settings: Settings) -> None:
    """Run until cancelled. Raises `DoorError` if the box can't be worked on at all."""
    settle_allocator()
    log_ring = LogRing()
    logging.getLogger().addHandler(log_ring)
    capability = await probe()
    log.info("ESP: %s (%s)", capability.ipsec, capability.reason)
    async with AsyncExitStack() as stack:
        doors = await stack.enter_async_context(open_doors(paths, Path(settings.kernel.sysctls)))
        agent = Agent(doors, capability, settings.dns.resolvers, log_ring)
        stack.push_async_callback(agent.close)
        if settings.metrics.address is not None:
            # Imported when used, as in `metrics`: most devices serve none.
            from appliance.status.metrics_server import MetricsServer

            server = MetricsServer(settings.metrics.address, settings.metrics.port, agent.metrics)
            log.info("metrics: port %d at %s", await server.start(), settings.metrics.address)
            stack.push_async_callback(server.close)
        await agent.run()


class Agent:
    """The loop and what it holds from one turn to the next."""

    def __init__(
        self, doors: Doors, capability: Capability, resolvers: tuple[Address, ...], log_ring: LogRing
    ) -> None:
        self._doors = doors
        self._capability = capability
        self._resolvers = resolvers
        self._known = Known(capability=capability)
        self._wake = asyncio.Event()
        self._pinger = Pinger()
        self._probes = TunnelProbes(self._pinger.ping, time.monotonic, lambda _name: self._wake.set())
        self._backends = BackendProbes(lambda _dead: self._wake.set())
        self._peers = PeerProbes(self._pinger.ping, time.monotonic, self._wake.set)
        self._steering = TunnelSteering(doors.charon, self._probes, self._wake.set)
        self._ownership = Ownership(self._wake.set)
        self._retries = Retries(RETRY, RESYNC)
        self._drift = DriftWatch(lambda: datetime.now(UTC))
        self._guard = Guard(doors.paths.guard)
        self._guarded: object = None
        self._passes = Passes(boot_order(doors), signs(doors), time.monotonic)
        self._quiet = WhenQuiet(QUIET, lambda: give_back(after_work=not self._passes.idle))
        around = Surroundings(self._membership_changed, self._report, self._hub_answers)
        self._membership = Membership(doors.paths, around, APART)
        questions = Questions(doors.paths, self._look)
        desk = Desk(doors, lambda: self._known, self._steering, self._pinger.ping, log_ring)
        commands = {
            **desk.commands,
            "bugreport": questions.bugreport,
            "enroll": self._membership.enroll,
            "keys": self._membership.keys,
            "reload": self._membership.reload,
            "resync": self._resync,
        }
        walks = {"doctor": questions.doctor, "why": questions.why}
        offered = Offered(commands, walks, {**desk.looks, "plan": self._membership.plans})
        self._status = StatusServer(doors.paths.status_socket, self.snapshot, offered)
        self._watch = Watch(doors.paths, self._look, self._status.changed)

    async def run(self) -> None:
        """Serve, follow and reconcile until cancelled."""
        await self._status.start()
        self._membership.find()
        if self._membership.held is None:
            await self._close_without_plan()
            notify(READY)
        async with asyncio.TaskGroup() as group:
            self._backends.start()
            # Nothing comes before the first pass: it closes what must never be open.
            group.create_task(self._loop(), name="passes")
            await self._watch.step()
            group.create_task(self._membership.run(), name="membership")
            group.create_task(self._watch.run(), name="watch")
            group.create_task(self._watch_kernel(), name="kernel")
            group.create_task(listen(self._doors.charon.socket, self._wake.set), name="charon")

    async def close(self) -> None:
        """Stop what runs in this process; the box keeps its network."""
        notify(STOPPING)
        self._quiet.close()
        for probes in (self._probes, self._peers):
            await probes.close()
        for stop in (self._steering.close, self._backends.stop, self._ownership.close):
            await stop()
        self._pinger.close()
        await self._status.close()

    def snapshot(self) -> Snapshot:
        """The device as of the last pass."""
        board = self._watch.board
        return snapshot(self._known, datetime.now(UTC), board.conditions, board.events)

    def metrics(self) -> str:
        """The device as Prometheus reads it."""
        from appliance.status.metrics import render

        return render(self.snapshot())

    def _look(self) -> tuple[Snapshot, OnDisk]:
        """What the examination starts from."""
        membership = self._membership
        plan = membership.held.plan if membership.held else None
        return self.snapshot(), replace(membership.on_disk, device=membership.device, plan=plan)

    def _membership_changed(self) -> None:
        self._known = replace(
            self._known,
            on_trial=self._membership.on_trial,
            identity=self._membership.device.identity if self._membership.device else None,
            held=self._membership.held,
            control=self._membership.control,
        )
        self._wake.set()
        self._watch.changed()

    def _report(self, identity: Identity) -> Report:
        return report(self._known, identity, datetime.now(UTC))

    def _hub_answers(self) -> bool:
        hub = self._known.facts.hub
        return hub is not None and self._probes.reach().get(hub, Reach()).health is Health.ALIVE

    async def _resync(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        self._passes.forget()
        self._steering.hurry()
        self._membership.wake()
        self._watch.again()
        return {}

    async def _watch_kernel(self) -> None:
        async for _ in changes():
            self._wake.set()

    async def _loop(self) -> None:
        due: float | None = None
        while True:
            self._quiet.busy()
            # Only a loop that comes round is alive; the longest time between two rounds is a resync.
            notify(f"{ALIVE}\n{STATUS}{headline(self.snapshot())}")
            wait = RESYNC if due is None else min(RESYNC, max(0.0, due - time.monotonic()))
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            held, device = self._membership.held, self._membership.device
            if held is None:
                continue
            try:
                due = await self._turn(held.plan, device)
            except DoorError as error:
                log.error("pass: %s", error)  # noqa: TRY400 -- a door's text is for people; its trace is not
                due = time.monotonic() + RETRY
            # Whoever starts pods waits for this: by now nothing of theirs can leave in clear.
            notify(READY)

    async def _turn(self, plan: Plan, device: DeviceIdentity | None) -> float | None:
        """One look, one pass, one step; when to look again if nothing wakes us."""
        self._backends.set_targets(local_backends(plan))
        if device is not None:
            self._ownership.configure(plan, TlsFiles(device.certificate, device.key))
        try:
            await self._steering.look(plan)
        except DoorError as error:
            log.debug("tunnels: %s", error)
        facts = await self._facts(plan)
        leaf = (read_text(device.certificate) or "") if device is not None else ""
        self._remember_closed(plan, facts)
        outcomes = await self._passes.run(Wish(plan, facts, leaf))
        # Only now is every way to them closed where it does not lead through a tunnel.
        self._peers.aim(plan, far_homes(plan))
        for name in self._drift.judge((plan.generation, plan.issued_at, facts, leaf), outcomes):
            log.warning("drift: %s: %s put back", name, ", ".join(outcomes[name].changed[:5]))
        tables = {name: outcome.count() for name, outcome in outcomes.items()}
        due = self._steering.step(plan, facts)
        self._ownership.update_own(self._steering.carried())
        self._tell(facts, tables)
        self._note_applied(plan.generation, tables)
        link_up = any(prefix not in plan.prefixes for prefix in facts.connected)
        judged = self._membership.judge(link_up=link_up)
        again = self._retries.after(tables, time.monotonic())
        return min((at for at in (due, judged, again) if at is not None), default=None)

    async def _close_without_plan(self) -> None:
        """What the last plan closed stays closed, whoever can't believe it now."""
        try:
            if put := await self._guard.close(self._doors.routes):
                log.warning("no plan: %d routes of the last one are closed", put)
        except DoorError as error:
            log.error("no plan: nothing could be closed: %s", error)  # noqa: TRY400 -- for people

    def _remember_closed(self, plan: Plan, facts: Facts) -> None:
        if self._guarded == (plan.generation, plan.issued_at):
            return
        try:
            self._guard.remember(routes(plan, facts))
            self._guarded = (plan.generation, plan.issued_at)
        except DoorError as error:
            log.warning("guard: %s", error)

    async def _facts(self, plan: Plan) -> Facts:
        turns = self._steering.turns()
        facts = await look(self._doors, plan, self._capability, self._resolvers, turns)
        before = self._known.facts
        if (facts.sources, facts.connected) != (before.sources, before.connected):
            # An uplink came, went or changed its address: whatever waits for the network tries now.
            self._steering.hurry()
            self._membership.wake()
        dead = self._backends.dead | backends_at(plan, self._peers.silent)
        facts = replace(facts, owners=self._ownership.owners(), dead=dead)
        facts = self._steering.facts(facts)
        if facts.hub != before.hub:
            # A cut further upstream made no link event; a tunnel that came back says that it is over.
            self._membership.wake()
        return facts

    def _note_applied(self, generation: int, tables: Mapping[str, PhaseCount]) -> None:
        """When a generation was first wholly there; what waits later does not take that back."""
        done = not any(count.waiting or count.failed for count in tables.values())
        if done and generation != self._known.applied:
            self._known = replace(self._known, applied=generation, applied_at=datetime.now(UTC))

    def _tell(self, facts: Facts, tables: Mapping[str, PhaseCount]) -> None:
        for name, count in tables.items():
            before = self._known.tables.get(name, PhaseCount())
            if count.reason and count.reason != before.reason:
                log.log(logging.ERROR if count.failed else logging.INFO, "%s: %s", name, count.reason)
        before_all = self._known
        self._known = replace(
            self._known,
            facts=facts,
            tables=tables,
            sas=self._steering.sas(),
            tunnels=self._steering.tunnels(),
            reach=self._probes.reach(),
            drift=self._drift.tell(),
        )
        self._status.changed()
        if news(self._known, before_all):
            self._watch.changed()
            self._membership.report_changed()
