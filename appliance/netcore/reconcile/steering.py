# SPDX-License-Identifier: Apache-2.0
"""Tunnel steering on the box: sees the SAs, takes one step, and lets its actions run beside the pass."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_network

from appliance.netcore.charon.door import Charon
from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.steering import (
    Action,
    Choice,
    Initiate,
    Steering,
    TerminateChild,
    by_connection,
    carried_edges,
    carrying_hub,
    probed_edges,
    steer,
)
from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.plan.exchange import TunnelState
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Role
from appliance.netcore.probe.hubs import Target, TunnelProbes
from appliance.netcore.tunnel import PROBE, SITE, Health, IkeSa, Reach

_BACKOFF_FIRST = 0.25
_BACKOFF_MOST = 4.0
_INITIATE_TIMEOUT = 8.0  # seconds; all retransmissions of the first message fit in


@dataclass
class _Attempt:
    """The last try of one action: when the next may come, and why it failed."""

    wait: float = _BACKOFF_FIRST
    not_before: float = 0.0
    reason: str = ""


class TunnelSteering:
    """Holds what steering needs from one pass to the next. `wake` asks for another pass."""

    def __init__(
        self,
        charon: Charon,
        probes: TunnelProbes,
        wake: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._charon = charon
        self._probes = probes
        self._wake = wake
        self._clock = clock
        self._plan: Plan | None = None
        self._choice = Choice()
        self._steering = Steering(self._choice)
        self._sas: tuple[IkeSa, ...] = ()
        self._running: dict[Action, asyncio.Task[None]] = {}
        self._attempts: dict[Action, _Attempt] = {}
        self._installed: dict[str, tuple[str, float]] = {}
        self._turns: dict[str, int] = {}

    async def look(self, plan: Plan) -> None:
        """Read the SAs, and aim the probes at the tunnels there are; raises `DoorError`.

        A charon that is gone has no SAs. One that is only slow keeps those that were seen last, so that no
        route is taken away for it.
        """
        self._plan = plan
        try:
            self._sas = await self._charon.list_sas()
        except NotYetError:
            self._sas = ()
            raise
        finally:
            self._aim(plan)

    def facts(self, facts: Facts) -> Facts:
        """`facts` with the hub that carries this site and the edges that probe this one, as last seen."""
        if self._plan is None:
            return facts
        probed = probed_edges(self._plan, self._sas)
        return replace(facts, hub=carrying_hub(self._plan, self._sas), probed=probed)

    def carried(self) -> dict[str, float]:
        """The edges whose traffic comes here, and since when (monotonic): what ownership tells."""
        if self._plan is None or self._plan.place.role is not Role.CONNECTOR:
            return {}
        now = self._clock()
        newest = carried_edges(self._plan, self._sas)
        # charon's ages are whole seconds: the first look at a child is the most exact one.
        for edge, sa in newest.items():
            if self._installed.get(edge, ("", 0.0))[0] != sa.id:
                self._installed[edge] = (sa.id, now - sa.age)
        self._installed = {edge: self._installed[edge] for edge in newest}
        return {edge: since for edge, (_, since) in self._installed.items()}

    def step(self, plan: Plan, facts: Facts) -> float | None:
        """Decide by the last look and start what follows; the time to look again if nothing happens."""
        now = self._clock()
        self._steering = steer(plan, facts, self._sas, self._probes.reach(), self._choice, now)
        self._choice = self._steering.choice
        self._forget(plan)
        retries = [due for action in self._steering.actions if (due := self._start(action, now)) is not None]
        times = [*retries, *([self._steering.look_again] if self._steering.look_again is not None else [])]
        return min(times, default=None)

    def hurry(self) -> None:
        """A link changed: try everything again now, without waiting for a back-off to end."""
        self._attempts.clear()
        self._wake()

    async def reinitiate(self, connection: str) -> None:
        """A person wants a tunnel anew: its SAs end, and the next pass makes others. Raises `DoorError`."""
        self._attempts = {a: tried for a, tried in self._attempts.items() if a.connection != connection}
        await self._charon.terminate_ike(connection, force=True)
        self._wake()

    def sas(self) -> tuple[IkeSa, ...]:
        """The SAs of the last look."""
        return self._sas

    def turns(self) -> dict[str, int]:
        """How often each peer was dialled in vain: the next of its addresses has its turn then."""
        return dict(self._turns)

    def tunnels(self) -> dict[str, TunnelState]:
        """Every tunnel that this device keeps or serves, for status and report."""
        if self._plan is None:
            return {}
        sas = by_connection(self._sas)
        names = [name for name in self._plan.peers if name in sas or name in self._steering.reasons]
        return {name: self._state(name, sas.get(name, ())) for name in names}

    async def close(self) -> None:
        """Leave everything as it is; charon carries on."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _state(self, name: str, sas: tuple[IkeSa, ...]) -> TunnelState:
        reach = self._probes.reach().get(name, Reach())
        failed = [a.reason for action, a in self._attempts.items() if action.connection == name and a.reason]
        up = reach.health is Health.ALIVE if self._is_ours(name) else any(sa.established for sa in sas)
        # A tunnel that is up may still be refused what the site needs it for.
        told = failed[:1] if up else [self._steering.reasons.get(name, ""), *failed[:1]]
        reason = ": ".join(told).strip(": ")
        return TunnelState(up=up, chosen=name == self._choice.hub, rtt=reach.rtt, reason=reason)

    def _is_ours(self, name: str) -> bool:
        return name in self._probes.reach() or name in self._steering.reasons

    def _aim(self, plan: Plan) -> None:
        targets: dict[str, Target] = {}
        for name, sas in by_connection(self._sas).items():
            peer = plan.peers.get(name)
            if peer is None or peer.role is not Role.CONNECTOR or not peer.overlay:
                continue
            tunnel = next((sa for sa in sas if sa.established and sa.carrying(PROBE)), None)
            if tunnel is not None:
                address = peer.overlay[0]
                source = next((own for own in plan.overlay if own.version == address.version), None)
                targets[name] = Target(address, source, tunnel.id)
        self._probes.aim(targets, plan.tunnel.probe_interval, plan.tunnel.probe_misses)

    def _forget(self, plan: Plan) -> None:
        reach = self._probes.reach()
        # One that runs may be done as it looks, and still be refused: it would have nowhere to say so.
        for action in self._attempts.keys() - self._running.keys():
            alive = reach.get(action.connection, Reach()).health is Health.ALIVE
            if action.connection not in plan.peers or (alive and action not in self._steering.actions):
                del self._attempts[action]

    def _start(self, action: Action, now: float) -> float | None:
        """Start an action unless it runs; when it is to be tried again if it has to wait."""
        if action in self._running:
            return None
        attempt = self._attempts.setdefault(action, _Attempt())
        if now < attempt.not_before:
            return attempt.not_before
        attempt.not_before = now + attempt.wait * random.uniform(0.75, 1.25)  # noqa: S311 -- no secret
        attempt.wait = min(2 * attempt.wait, _BACKOFF_MOST)
        task = asyncio.create_task(self._run(action, attempt), name=f"steering {action}")
        self._running[action] = task
        return None

    async def _run(self, action: Action, attempt: _Attempt) -> None:
        try:
            await self._perform(action)
            attempt.reason = ""
        except DoorError as error:
            attempt.reason = str(error)
            self._take_turn(action)
        finally:
            del self._running[action]
            self._wake()

    def _take_turn(self, action: Action) -> None:
        """An IKE SA did not come up: there may be another address. With one up, the address is good."""
        up = any(sa.name == action.connection and sa.established for sa in self._sas)
        peer = self._plan.peers.get(action.connection) if self._plan else None
        if isinstance(action, Initiate) and not up and peer is not None and len(peer.addresses) > 1:
            self._turns[action.connection] = self._turns.get(action.connection, 0) + 1

    async def _refuse_empty(self, connection: str) -> None:
        """End a site child that carries nothing of the site; raises `DoorError` then.

        A hub that does not know our networks yet agrees to what it knows (RFC 7296, section 2.9), if only to
        the overlay addresses. Nobody would end such a child, and all would look well.
        """
        site = set(self._plan.prefixes) if self._plan and self._plan.place.role is Role.EDGE else set()
        for sa in await self._charon.list_agreed(connection) if site else ():
            for child in (one for one in sa.children if one.name == SITE):
                if not site & set(map(ip_network, child.local_ts)):
                    await self._charon.terminate_child(child.id)
                    raise DoorError(f"{connection} agreed to less than the site's networks")

    async def _perform(self, action: Action) -> None:
        if isinstance(action, Initiate):
            await self._charon.initiate(action.connection, action.child, _INITIATE_TIMEOUT)
            if action.child == SITE:
                await self._refuse_empty(action.connection)
        elif isinstance(action, TerminateChild):
            await self._charon.terminate_child(action.id)
        else:
            await self._charon.terminate_ike_id(action.id, force=True)
