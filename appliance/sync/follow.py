# SPDX-License-Identifier: Apache-2.0
"""Following the control endpoint: plans in, reports out, for as long as the device runs.

Being offline is a state of a site, not an error: one line in the log when it begins and one when it ends.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol

import msgspec

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.files import read
from appliance.netcore.plan.codec import PlanError
from appliance.netcore.plan.exchange import PLAN_NONE, Report, TrustAnswer
from appliance.paths import Paths
from appliance.status.model import Control
from appliance.sync.errors import ControlError, RefusedError
from appliance.sync.hands import HERE, Hands
from appliance.sync.identity import DeviceIdentity, believe
from appliance.sync.renew import renewal_due
from appliance.sync.reporting import Reporter
from appliance.sync.store import Held, PlanStore
from appliance.sync.timing import WAIT, Timing, back_off
from appliance.sync.troubles import ENROL_AGAIN

log = logging.getLogger(__name__)

#: An endpoint that does not hold its answers back must not make us spin; seconds.
_SHORTEST_POLL = 1.0
_KEEP_AGAIN = 30.0
_RENEW_AGAIN = timedelta(hours=1)


class Offer(Protocol):
    """A plan as it arrived, and the tag to ask for the next one with."""

    @property
    def etag(self) -> str: ...

    @property
    def body(self) -> bytes: ...


class Endpoint(Protocol):
    """What following needs of the control endpoint; every method may raise `ControlError`."""

    async def plan(self, etag: str | None, wait: int) -> Offer | None: ...

    async def report(self, report: Report) -> None: ...

    async def renew(self, csr: bytes) -> bytes: ...

    async def trust(self) -> TrustAnswer: ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Listeners:
    """Who is told what, from within the loop, and so at once.

    `plan`: a new plan is on disk. `identity`: the certificate was renewed. `control`: `Follower.control` has
    changed. `report` gives the report as of now, and `keep` the plan whose slot is not to be written over.
    """

    report: Callable[[], Report]
    keep: Callable[[], Held | None]
    plan: Callable[[Held], None]
    identity: Callable[[DeviceIdentity], None]
    control: Callable[[], None]


class Polled(Enum):
    """What one poll brought."""

    PLAN = auto()
    NOTHING = auto()
    REFUSED = auto()
    NOT_KEPT = auto()


class Follower:
    """The loops for one identity.

    `control` says how they stand, `held` is the newest plan on disk that is good, and `contact` the monotonic
    time of the last answer of the control endpoint. `disowned`: the operator has no plan for us any more.
    """

    def __init__(
        self,
        paths: Paths,
        device: DeviceIdentity,
        held: Held | None,
        connect: Callable[[DeviceIdentity], Endpoint],
        tell: Listeners,
        timing: Timing | None = None,
        hands: Hands = HERE,
    ) -> None:
        self.control = Control(url=device.control_url)
        self.held = held
        self.contact: float | None = None
        self._paths = paths
        self._device = device
        self._connect = connect
        self._endpoint = connect(device)
        self._tell = tell
        self._timing = timing or Timing()
        self._hands = hands
        self._etag = held.digest if held else None
        self._woken = asyncio.Event()
        self._renew_after: datetime | None = None
        self._believed: object = None
        self.disowned = False
        self._reporter = Reporter(tell.report, self._send, self._timing)

    def wake(self) -> None:
        """The way to the control endpoint may be open again: try now."""
        self._woken.set()

    def settle(self, held: Held, refused: str = "") -> None:
        """The trial is over: `held` is in force; `refused` says why the newest plan is not."""
        self.held = held
        self._refuse(refused)
        self._reporter.changed()

    def prove_contact(self) -> None:
        """Report once more although nothing is new, so that `contact` tells whether the way is open."""
        self._reporter.again()

    def report_changed(self) -> None:
        """There may be something new to report."""
        self._reporter.changed()

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._poll_forever())
                group.create_task(self._reporter.run())
        finally:
            await self._endpoint.close()

    async def _poll_forever(self) -> None:
        failures = 0
        while True:
            started = self._timing.monotonic()
            try:
                polled = await self.poll_once()
            except ControlError as error:
                failures += 1
                self._offline(error)
                self._woken.clear()
                await self._timing.pause(self._woken, back_off(failures, self._timing.jitter()))
                continue
            failures = 0
            self._connected()
            await self.believe_the_plan()
            await self.renew_if_due()
            if polled is Polled.NOT_KEPT:
                await self._timing.sleep(_KEEP_AGAIN)
            elif polled is not Polled.PLAN and self._timing.monotonic() - started < _SHORTEST_POLL:
                await self._timing.sleep(_SHORTEST_POLL)

    async def poll_once(self) -> Polled:
        """Ask once for a plan other than the last one seen, and keep it if it is good.

        Raises `ControlError`.
        """
        try:
            # Not held back while we don't know whether the way is open: the answer says so at once.
            wait = WAIT if self.control.connected else 0
            offer = await self._endpoint.plan(self._etag, wait)
        except RefusedError as error:
            if error.code != PLAN_NONE:
                raise
            self.disowned = True
            self._refuse(str(error))
            return Polled.NOTHING
        self.contact = self._timing.monotonic()
        self.disowned = False
        if offer is None:
            return Polled.NOTHING
        before = self._etag
        # A refused plan is the last one seen too, so the endpoint will not send it again.
        self._etag = offer.etag or before
        try:
            return self._take(offer.body)
        except PlanError as error:
            self._refuse(str(error))
            return Polled.REFUSED
        except DoorError as error:
            self._etag = before
            self._refuse(str(error))
            return Polled.NOT_KEPT

    def _take(self, data: bytes) -> Polled:
        store = self._store(self._device.plan_keys)
        offered = store.verify(data)
        self._set_control(offered=offered.plan.generation)
        if self.held is not None and offered.digest == self.held.digest:
            self._refuse("")
            return Polled.NOTHING
        self._check(store, offered)
        self.held = store.put(data, self._tell.keep())
        self._etag = offered.digest
        self._refuse("")
        log.info("plan: generation %d is here (%s)", offered.plan.generation, offered.digest[:12])
        self._tell.plan(self.held)
        self._reporter.changed()
        return Polled.PLAN

    def _store(self, plan_keys: Mapping[str, str]) -> PlanStore:
        return PlanStore(self._paths.plans, plan_keys, self._device.identity, self._hands.verify)

    def _check(self, store: PlanStore, offered: Held) -> None:
        generation = offered.plan.generation
        if (reason := store.why_undone(offered.digest)) is not None:
            raise PlanError(f"generation {generation} was tried and undone: {reason}")
        if self.held is not None and generation < self.held.plan.generation:
            raise PlanError(f"generation {generation} is older than {self.held.plan.generation}, held here")

    def _refuse(self, reason: str) -> None:
        """Say why the newest plan is not used; or, with no reason, that it is."""
        if reason == self.control.refused:
            return
        if reason:
            log.warning("plan: refused: %s", reason)
        self._set_control(refused=reason)
        self._reporter.changed()

    def _connected(self) -> None:
        if self.control.connected:
            return
        if self.control.error:
            log.info("control endpoint: back")
        self._set_control(connected=True, error="", since=self._timing.now())
        self._reporter.online(True)

    def _offline(self, error: ControlError) -> None:
        reason = f"{error}{self._expiry()}"
        if self.control.error:
            self._set_control(error=reason)
            return
        held = f"generation {self.held.plan.generation}" if self.held else "no plan"
        log.warning("control endpoint: offline, going on with %s: %s", held, reason)
        self._set_control(connected=False, error=reason, since=self._timing.now())
        self._reporter.online(False)

    def _expiry(self) -> str:
        """What else stands in the way of a device that was offline for longer than its certificate lived."""
        until = self._device.not_after
        if self._timing.now() < until:
            return ""
        return f". This device's certificate expired on {until:%Y-%m-%d}: {ENROL_AGAIN}"

    def _set_control(self, **changes: object) -> None:
        before, self.control = self.control, msgspec.structs.replace(self.control, **changes)
        if self.control != before:
            self._tell.control()

    async def believe_the_plan(self) -> None:
        """Take over the trust of the plan in force: renewal is too far away to wait for, and may fail.

        A plan that does not vouch for the key that signed it could not be read again once it is believed.
        """
        if self.held is None or self.held.plan.trust == self._believed:
            return
        trust = self.held.plan.trust
        before = self._endpoint
        try:
            data = read(self.held.slot) or b""
            self._store(trust.plan_keys).verify(data)
            device = believe(self._paths, self._device, trust.ca, trust.plan_keys)
            endpoint = before if device is self._device else self._connect(device)
        except (PlanError, DoorError) as error:
            log.warning("plan: its trust is not taken over: %s", error)
            self._believed = trust if isinstance(error, PlanError) else None
            return
        self._believed = trust
        if device is self._device:
            return
        log.info("plan: its trust is taken over: %d plan keys", len(trust.plan_keys))
        self._device, self._endpoint = device, endpoint
        await before.close()
        self._tell.identity(device)

    async def renew_if_due(self) -> None:
        """Renew the certificate when its time has come; a failure is tried again after an hour."""
        now = self._timing.now()
        if not renewal_due(self._device, now) or (self._renew_after is not None and now < self._renew_after):
            return
        before = self._endpoint
        try:
            device = await self._hands.renew(self._paths, self._device, before)
            self._endpoint = self._connect(device)
        except DoorError as error:
            log.warning("certificate: not renewed, tried again in an hour: %s", error)
            self._renew_after = now + _RENEW_AGAIN
            return
        log.info("certificate: renewed, valid until %s", device.not_after.isoformat())
        self._device = device
        await before.close()
        self._tell.identity(device)

    async def _send(self, report: Report) -> None:
        # Looked up at each call: renewal puts another endpoint in its place.
        await self._endpoint.report(report)
        self.contact = self._timing.monotonic()
