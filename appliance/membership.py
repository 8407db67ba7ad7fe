# SPDX-License-Identifier: Apache-2.0
"""Who this device is and which plan is in force: identity, the way to the control endpoint, trials.

It holds no door to the network of the box; what the plan does there is the loop's (run.py).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from appliance.checks.box import OnDisk
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.exchange import Report
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.token import TokenError, parse_token
from appliance.netcore.plan.values import builtins
from appliance.paths import Paths
from appliance.status.model import Control
from appliance.status.views import Plans, Slot
from appliance.sync.clock import Clock
from appliance.sync.confirm import Confirmation
from appliance.sync.control import ControlClient
from appliance.sync.errors import IdentityError
from appliance.sync.follow import Follower, Listeners
from appliance.sync.hands import HERE, Hands
from appliance.sync.identity import DeviceIdentity, load_identity
from appliance.sync.imported import Imported, load_imported
from appliance.sync.proxy import proxy_of
from appliance.sync.store import Held, PlanStore
from appliance.sync.timing import Timing
from appliance.trial import Sign, Verdict

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Surroundings:
    """What membership asks of, and tells, the rest of the daemon.

    `changed`: identity, plan or control endpoint are not as before. `report`: the report as of now, for this
    identity. `hub_answers`: whether the chosen hub answers through its tunnel.
    """

    changed: Callable[[], None]
    report: Callable[[Identity], Report]
    hub_answers: Callable[[], bool]


class Membership:
    """`device` is who we are, `held` the plan in force, `control` how the control endpoint stands.

    `on_disk` is what was found wrong with the files of either.
    """

    def __init__(self, paths: Paths, around: Surroundings, hands: Hands = HERE) -> None:
        self.device: DeviceIdentity | None = None
        self.held: Held | None = None
        self.control = Control()
        self.on_disk = OnDisk()
        self._paths = paths
        self._around = around
        self._hands = hands
        self._enrolled = asyncio.Event()
        self._follower: Follower | None = None
        self._confirmation: Confirmation | None = None
        self._clock = Clock(paths.last_seen)

    def find(self) -> None:
        """Take up what is on disk. A damaged identity is something to enrol out of, no reason to end."""
        try:
            device = load_identity(self._paths)
        except IdentityError as error:
            log.error("identity: %s", error)  # noqa: TRY400 -- for people
            self.on_disk = OnDisk(identity_fault=str(error))
            return
        if device is None:
            log.info("not enrolled: waiting for `orillo enroll TOKEN`")
            self._take_imported()
            return
        self._take(device)

    async def reload(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """It was enrolled, or a plan was imported, beside us: take it up. Raises `IdentityError`."""
        device = load_identity(self._paths)
        if device is not None:
            self._take(device)
        else:
            self._take_imported()
        return {}

    async def enroll(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Redeem a token for somebody at the status socket. Raises `DoorError`, which never has the token."""
        try:
            token = parse_token(str(request.get("token", "")))
        except TokenError as error:
            raise IdentityError(str(error)) from error
        device = await self._hands.enroll(self._paths, token, "")
        self._take(device)
        return {"identity": device.identity}

    async def plans(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The plan in force and the one before it, to see what changed. Raises `DoorError`."""
        if self.device is None:
            raise IdentityError("this device is not enrolled, so it has no plan")
        loaded = await asyncio.to_thread(self._store(self.device).load)
        plans = Plans(
            plan=builtins(loaded.held.plan) if loaded.held else None,
            before=builtins(loaded.before.plan) if loaded.before else None,
            slot=_slot(loaded.held),
            slot_before=_slot(loaded.before),
        )
        answer: Mapping[str, Any] = builtins(plans)
        return answer

    async def keys(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The fingerprints of the key in use, and of the one that an enrolment would be for."""
        # As in `enroll`: most devices are never asked.
        from appliance.sync.pending import keys

        answer: Mapping[str, Any] = builtins(keys(self._paths))
        return answer

    @property
    def on_trial(self) -> bool:
        """Whether the plan in force may still be undone."""
        return self._confirmation is not None and self._confirmation.is_open

    async def run(self) -> None:
        """Follow the control endpoint as who we are; a new enrolment starts anew. Runs until cancelled."""
        while True:
            await self._enrolled.wait()
            self._enrolled.clear()
            if self.device is None:
                continue
            try:
                self._follower = self._new_follower(self.device)
            except DoorError as error:
                # The site goes on by the plan on disk; only a new enrolment helps.
                log.error("control endpoint: %s", error)  # noqa: TRY400 -- for people
                self._follower = None
                self.control = Control(url=self.device.control_url, error=str(error))
                self._around.changed()
                continue
            await _until(self._follower.run(), self._enrolled)

    def wake(self) -> None:
        """The way to the control endpoint may be open again."""
        if self._follower is not None:
            self._follower.wake()

    def report_changed(self) -> None:
        """There may be something new to report."""
        if self._follower is not None:
            self._follower.report_changed()

    def judge(self, *, link_up: bool) -> float | None:
        """The plan in force was passed over the tables: is it good? When to look again (monotonic)."""
        confirmation, follower = self._confirmation, self._follower
        if confirmation is None or follower is None or not confirmation.is_open:
            return None
        if follower.disowned:
            # Its peers were told to forget it: without the tunnels, another plan would fare no better.
            confirmation.excuse()
            return None
        confirmation.applied()
        working = self._signs(since=confirmation.since or 0.0)
        if Sign.CONTROL not in working:
            follower.prove_contact()
        verdict = confirmation.judge(working, link_up=link_up)
        if verdict is Verdict.OPEN or confirmation.held is None:
            return time.monotonic() + 1.0
        follower.settle(confirmation.held, confirmation.undone)
        self.held = confirmation.held
        self._around.changed()
        return None

    def _store(self, owner: DeviceIdentity | Imported) -> PlanStore:
        return PlanStore(self._paths.plans, owner.plan_keys, owner.identity, self._hands.verify)

    def _take_imported(self) -> None:
        """Without an identity: the site plan that was carried here, if one was. It needs no proof."""
        imported = load_imported(self._paths)
        if imported is None:
            return
        loaded = self._store(imported).load()
        self.held, self.on_disk = loaded.held, OnDisk(refused=loaded.refused)
        if loaded.held is not None:
            log.info("plan: generation %d, imported: no tunnels yet", loaded.held.plan.generation)
        self._around.changed()

    def _take(self, device: DeviceIdentity) -> None:
        store = self._store(device)
        self._confirmation = Confirmation(store, time.monotonic)
        refused = tuple(self._confirmation.refused_slots)
        for reason in refused:
            log.error("plan: a slot was refused: %s", reason)
        if self._confirmation.held is not None:
            self._clock.rely_on([self._confirmation.held.plan.issued_at])
            log.info("plan: generation %d from disk", self._confirmation.held.plan.generation)
        self._clock.rely_on([device.not_before])
        self.device, self.held, self.on_disk = device, self._confirmation.held, OnDisk(refused=refused)
        self._enrolled.set()
        self._around.changed()

    def _new_follower(self, device: DeviceIdentity) -> Follower:
        tell = Listeners(
            report=partial(self._around.report, device.identity),
            keep=self._keep,
            plan=self._offered,
            identity=self._renewed,
            control=self._control_changed,
        )
        timing = Timing(now=self._clock.now)
        connect = partial(ControlClient, proxy=proxy_of(self._paths))
        return Follower(self._paths, device, self.held, connect, tell, timing, self._hands)

    def _keep(self) -> Held | None:
        """The plan to go back to if the one that is about to come proves bad."""
        return self._confirmation.keep_for_next(self._signs(since=0.0)) if self._confirmation else None

    def _offered(self, held: Held) -> None:
        """A new plan is on disk: it is in force from now on, and has to prove itself."""
        if self._confirmation is not None:
            self._confirmation.offer(held, self._signs(since=0.0))
        self._clock.rely_on([held.plan.issued_at])
        # A slot that was refused is written over by now, or is by the next plan.
        self.held, self.on_disk = held, OnDisk()
        self._around.changed()

    def _renewed(self, device: DeviceIdentity) -> None:
        self.device = device
        if self._confirmation is not None:
            self._confirmation.rely_on(self._store(device))
        self._around.changed()

    def _control_changed(self) -> None:
        if self._follower is not None:
            self.control = self._follower.control
            if self.control.connected:
                self._saw_control()
            self._around.changed()

    def _saw_control(self) -> None:
        try:
            self._clock.saw()
        except DoorError as error:
            log.warning("clock: when the control endpoint was seen is not remembered: %s", error)

    def _signs(self, since: float) -> frozenset[Sign]:
        """What works, shown by something that happened after `since` (monotonic)."""
        contact = self._follower.contact if self._follower is not None else None
        signs = {Sign.CONTROL: contact is not None and contact > since, Sign.HUB: self._around.hub_answers()}
        return frozenset(sign for sign, holds in signs.items() if holds)


def _slot(held: Held | None) -> Slot | None:
    if held is None:
        return None
    try:
        arrived = datetime.fromtimestamp(held.slot.stat().st_mtime, UTC)
    except OSError:
        arrived = None
    return Slot(held.slot.stem, arrived)


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
