# SPDX-License-Identifier: Apache-2.0
"""The daemon: the one place where the adapters are wired together.

One loop does all the work: look at the box, pass over the tables, take one step of steering. Everything
else only wakes it. What it applied stays when it ends: charon, unbound and the kernel carry on without it.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from appliance.checks.box import OnDisk
from appliance.checks.watch import Watch
from appliance.netcore.charon.events import listen
from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.services import local_backends
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.capability import probe
from appliance.netcore.kernel.files import read_text
from appliance.netcore.kernel.memory import give_back, settle_allocator
from appliance.netcore.kernel.rtnetlink_watch import changes
from appliance.netcore.ownership.access import TlsFiles
from appliance.netcore.ownership.ownership import Ownership
from appliance.netcore.plan.exchange import PhaseCount, Report
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Address
from appliance.netcore.probe.backends import BackendProbes
from appliance.netcore.probe.hubs import TunnelProbes
from appliance.netcore.probe.icmp import Pinger
from appliance.netcore.reconcile.doors import Doors, look, open_doors
from appliance.netcore.reconcile.passes import Step, Wish, boot_order, one_pass
from appliance.netcore.reconcile.steering import TunnelSteering
from appliance.netcore.spec import Capability
from appliance.netcore.tunnel import Health, Reach
from appliance.paths import Paths
from appliance.quiet import WhenQuiet
from appliance.settings import Settings
from appliance.snapshot import Known, report, snapshot
from appliance.status.model import Control, Snapshot
from appliance.status.server import StatusServer
from appliance.sync.client import ControlClient
from appliance.sync.confirm import Confirmation
from appliance.sync.errors import IdentityError
from appliance.sync.follow import Follower, Listeners
from appliance.sync.identity import DeviceIdentity, load_identity
from appliance.sync.store import Held, PlanStore
from appliance.sync.trial import Sign, Verdict

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
    capability = await probe()
    log.info("ESP: %s (%s)", capability.ipsec, capability.reason)
    async with AsyncExitStack() as stack:
        doors = await stack.enter_async_context(open_doors(paths))
        agent = Agent(doors, capability, settings.dns.resolvers)
        stack.push_async_callback(agent.close)
        await agent.run()


class Agent:
    """The loop and what it holds from one turn to the next."""

    def __init__(self, doors: Doors, capability: Capability, resolvers: tuple[Address, ...]) -> None:
        self._doors = doors
        self._capability = capability
        self._resolvers = resolvers
        self._known = Known(capability=capability)
        self._wake = asyncio.Event()
        self._pinger = Pinger()
        self._probes = TunnelProbes(self._pinger.ping, time.monotonic, lambda _name: self._wake.set())
        self._backends = BackendProbes(lambda _dead: self._wake.set())
        self._steering = TunnelSteering(doors.charon, self._probes, self._wake.set)
        self._ownership = Ownership(self._wake.set)
        self._steps: tuple[Step, ...] = boot_order(doors)
        self._device: DeviceIdentity | None = None
        self._on_disk = OnDisk()
        self._quiet = WhenQuiet(QUIET, give_back)
        self._enrolled = asyncio.Event()
        self._follower: Follower | None = None
        self._confirmation: Confirmation | None = None
        commands = {"reload": self._reload_identity, "resync": self._resync}
        self._status = StatusServer(doors.paths.status_socket, self.snapshot, commands)
        self._watch = Watch(doors.paths, self._look, self._status.changed)

    async def run(self) -> None:
        """Serve, follow and reconcile until cancelled."""
        await self._status.start()
        self._look_for_identity()
        await self._watch.step()
        async with asyncio.TaskGroup() as group:
            self._backends.start()
            group.create_task(self._loop(), name="passes")
            group.create_task(self._follow(), name="follow")
            group.create_task(self._watch.run(), name="watch")
            group.create_task(self._watch_kernel(), name="kernel")
            group.create_task(listen(self._doors.charon.socket, self._wake.set), name="charon")

    async def close(self) -> None:
        """Stop what runs in this process; the box keeps its network."""
        self._quiet.close()
        for stop in (self._steering.close, self._probes.close, self._backends.stop, self._ownership.close):
            await stop()
        self._pinger.close()
        await self._status.close()

    def snapshot(self) -> Snapshot:
        """The device as of the last pass."""
        board = self._watch.board
        return snapshot(self._known, datetime.now(UTC), board.conditions, board.events)

    def _look(self) -> tuple[Snapshot, OnDisk]:
        """What the examination starts from."""
        plan = self._known.held.plan if self._known.held else None
        return self.snapshot(), replace(self._on_disk, device=self._device, plan=plan)

    # Identity and plan

    def _look_for_identity(self) -> None:
        """At the start. A damaged identity is something to say and to enrol out of, no reason to end."""
        try:
            self._take_identity(load_identity(self._doors.paths))
        except IdentityError as error:
            log.error("identity: %s", error)  # noqa: TRY400 -- for people
            self._on_disk = replace(self._on_disk, identity_fault=str(error))

    def _take_identity(self, device: DeviceIdentity | None) -> None:
        if device is None:
            log.info("not enrolled: waiting for `orillo enroll TOKEN`")
            return
        self._device = device
        store = PlanStore(self._doors.paths.plans, device.plan_keys, device.identity)
        self._confirmation = Confirmation(store, time.monotonic)
        loaded = self._confirmation
        for reason in loaded.refused_slots:
            log.error("plan: a slot was refused: %s", reason)
        if loaded.held is not None:
            log.info("plan: generation %d from disk", loaded.held.plan.generation)
        self._on_disk = OnDisk(refused=tuple(loaded.refused_slots))
        self._known = replace(self._known, identity=device.identity, held=loaded.held)
        self._enrolled.set()
        self._wake.set()

    async def _reload_identity(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The device was enrolled beside us: take the new identity up."""
        self._take_identity(load_identity(self._doors.paths))
        return {}

    async def _resync(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        self._steering.hurry()
        if self._follower is not None:
            self._follower.wake()
        return {}

    async def _follow(self) -> None:
        """Follow the control endpoint as who we are now; a new enrolment starts anew."""
        while True:
            await self._enrolled.wait()
            self._enrolled.clear()
            device = self._device
            if device is None:
                continue
            try:
                self._follower = self._new_follower(device)
            except DoorError as error:
                # The site goes on by the plan on disk; only a new enrolment helps.
                log.error("control endpoint: %s", error)  # noqa: TRY400 -- for people
                self._follower = None
                self._learn(control=Control(url=device.control_url, error=str(error)))
                continue
            await _until(self._follower.run(), self._enrolled)

    def _new_follower(self, device: DeviceIdentity) -> Follower:
        return Follower(
            self._doors.paths,
            device,
            self._known.held,
            ControlClient,
            Listeners(
                report=partial(self._report, device),
                keep=self._keep,
                plan=self._offered,
                identity=self._renewed,
                control=self._control_changed,
            ),
        )

    def _keep(self) -> Held | None:
        """The plan to go back to if the one that is about to come proves bad."""
        return self._confirmation.keep_for_next(self._signs(since=0.0)) if self._confirmation else None

    def _offered(self, held: Held) -> None:
        """A new plan is on disk: it is in force from now on, and has to prove itself."""
        if self._confirmation is not None and self._follower is not None:
            self._confirmation.offer(held, self._signs(since=0.0))
        # A slot that was refused is written over by now, or is by the next plan.
        self._on_disk = OnDisk()
        self._learn(held=held)

    def _signs(self, since: float) -> frozenset[Sign]:
        """What works, shown by something that happened after `since` (monotonic)."""
        found: set[Sign] = set()
        contact = self._follower.contact if self._follower is not None else None
        if contact is not None and contact > since:
            found.add(Sign.CONTROL)
        hub = self._known.facts.hub
        if hub is not None and self._probes.reach().get(hub, Reach()).health is Health.ALIVE:
            found.add(Sign.HUB)
        return frozenset(found)

    def _judge(self, plan: Plan, facts: Facts) -> float | None:
        """One look at the trial of the plan in force; when to look again."""
        confirmation, follower = self._confirmation, self._follower
        if confirmation is None or follower is None or not confirmation.is_open:
            return None
        confirmation.applied()
        working = self._signs(since=confirmation.since or 0.0)
        if Sign.CONTROL not in working:
            follower.prove_contact()
        link_up = any(prefix not in plan.prefixes for prefix in facts.connected)
        verdict = confirmation.judge(working, link_up=link_up)
        held = confirmation.held
        if verdict is Verdict.OPEN or held is None:
            return time.monotonic() + 1.0
        follower.settle(held, confirmation.undone)
        self._learn(held=held)
        return None

    def _renewed(self, device: DeviceIdentity) -> None:
        self._device = device
        self._wake.set()

    def _control_changed(self) -> None:
        if self._follower is not None:
            self._learn(control=self._follower.control)

    def _report(self, device: DeviceIdentity) -> Report:
        return report(self._known, device.identity, datetime.now(UTC))

    # The loop

    def _learn(self, **news: Any) -> None:
        self._known = replace(self._known, **news)
        self._wake.set()
        self._watch.changed()

    async def _watch_kernel(self) -> None:
        async for _ in changes():
            self._wake.set()

    async def _loop(self) -> None:
        due: float | None = None
        while True:
            self._quiet.busy()
            wait = RESYNC if due is None else min(RESYNC, max(0.0, due - time.monotonic()))
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            if self._known.held is None or self._device is None:
                continue
            try:
                due = await self._turn(self._known.held.plan, self._device)
            except DoorError as error:
                log.error("pass: %s", error)  # noqa: TRY400 -- a door's text is for people; its trace is not
                due = time.monotonic() + RETRY

    async def _turn(self, plan: Plan, device: DeviceIdentity) -> float | None:
        """One look, one pass, one step; when to look again if nothing wakes us."""
        self._backends.set_targets(local_backends(plan))
        self._ownership.configure(plan, TlsFiles(device.certificate, device.key))
        try:
            await self._steering.look(plan)
        except DoorError as error:
            log.debug("tunnels: %s", error)
        facts = await self._facts(plan)
        leaf = read_text(device.certificate) or ""
        outcomes = await one_pass(self._steps, Wish(plan, facts, leaf))
        due = self._steering.step(plan, facts)
        self._ownership.update_own(self._steering.carried())
        self._tell(facts, {name: outcome.count() for name, outcome in outcomes.items()})
        return min((at for at in (due, self._judge(plan, facts)) if at is not None), default=None)

    async def _facts(self, plan: Plan) -> Facts:
        facts = await look(self._doors, plan, self._capability, self._resolvers)
        before = self._known.facts
        if (facts.sources, facts.connected) != (before.sources, before.connected):
            # An uplink came, went or changed its address: whatever waits for the network tries now.
            self._steering.hurry()
            if self._follower is not None:
                self._follower.wake()
        facts = replace(facts, owners=self._ownership.owners(), dead=self._backends.dead)
        facts = self._steering.facts(facts)
        if facts.hub != before.hub and self._follower is not None:
            # A cut further upstream made no link event; a tunnel that came back says that it is over.
            self._follower.wake()
        return facts

    def _tell(self, facts: Facts, tables: Mapping[str, PhaseCount]) -> None:
        for name, count in tables.items():
            before = self._known.tables.get(name, PhaseCount())
            if count.reason and count.reason != before.reason:
                log.log(logging.ERROR if count.failed else logging.INFO, "%s: %s", name, count.reason)
        self._known = replace(
            self._known,
            facts=facts,
            tables=tables,
            sas=self._steering.sas(),
            tunnels=self._steering.tunnels(),
            reach=self._probes.reach(),
        )
        self._status.changed()
        self._watch.changed()
        if self._follower is not None:
            self._follower.report_changed()


async def _until(work: Coroutine[Any, Any, None], over: asyncio.Event) -> None:
    """Run `work` until it ends, with its error if it has one, or until `over` is set."""
    task = asyncio.create_task(work)
    waiting = asyncio.create_task(over.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        task.cancel()
        waiting.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)
