# SPDX-License-Identifier: Apache-2.0
"""Peers and the ways to them; and what a person may do to a tunnel: try it, and bring it up anew."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from appliance.netcore.desired.facts import Facts
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.exchange import TunnelState
from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.plan.values import Address, Role
from appliance.netcore.tunnel import IkeSa
from appliance.status.views import Peers, PeerWay, Probed, Reinitiated

_MOST_PEERS = 500
_ECHOES = 5
_LARGE_TRIES = 3
_PATIENCE = 1.5
#: How long a tunnel that was ended is waited for, and how often it is looked at, in seconds.
_UP_WITHIN = 12.0
_LOOK_EVERY = 0.1
_HEADERS = {4: 28, 6: 48}  # IP and ICMP

Ping = Callable[[Address, Address | None, float, int], Awaitable[float | None]]


class Steering(Protocol):
    """What is asked of `reconcile.steering.TunnelSteering`."""

    def sas(self) -> tuple[IkeSa, ...]: ...

    def tunnels(self) -> Mapping[str, TunnelState]: ...

    async def reinitiate(self, connection: str) -> None: ...


def peers(plan: Plan | None, facts: Facts, tunnels: Mapping[str, TunnelState]) -> Peers:
    """All peers of the plan, each with whose tunnel carries what is for it."""
    if plan is None:
        return Peers()
    found = [_way(plan, facts, tunnels, name) for name in sorted(plan.peers)]
    return Peers(tuple(found[:_MOST_PEERS]), len(found))


def _way(plan: Plan, facts: Facts, tunnels: Mapping[str, TunnelState], name: str) -> PeerWay:
    peer = plan.peers[name]
    via = name if name in tunnels else (_carrier(plan, facts, name) or "")
    up = tunnels[via].up if via in tunnels else bool(via) and plan.place.role is not Role.EDGE
    return PeerWay(name, peer.role, peer.paths[0], via, up, tuple(map(str, peer.prefixes)))


def _carrier(plan: Plan, facts: Facts, name: str) -> str | None:
    if plan.place.role is Role.EDGE:
        return facts.hub
    if plan.peers[name].underlay and plan.peers[name].role is not Role.EDGE:
        return name
    return facts.owners.get(name)


async def probe(plan: Plan | None, name: str, ping: Ping) -> Probed:
    """Echoes to a peer's overlay address, small ones and one that fills a packet. Raises `DoorError`."""
    plan, peer = _known(plan, name)
    target = next(iter(peer.overlay), None)
    if target is None:
        raise DoorError(f"{name} has no address inside the tunnel to try")
    source = next((own for own in plan.overlay if own.version == target.version), None)
    size = plan.tunnel.mtu - _HEADERS[target.version]
    small = await asyncio.gather(*(ping(target, source, _PATIENCE, 16) for _ in range(_ECHOES)))
    answered = tuple(rtt for rtt in small if rtt is not None)
    large = bool(answered) and await _passes(ping, target, source, size)
    return Probed(name, str(target), _ECHOES, answered, plan.tunnel.mtu, large)


async def _passes(ping: Ping, target: Address, source: Address | None, size: int) -> bool:
    """Tried more than once: from the first one the kernel may only learn how much fits."""
    for _ in range(_LARGE_TRIES):
        if await ping(target, source, _PATIENCE, size) is not None:
            return True
    return False


async def reinitiate(
    plan: Plan | None,
    name: str,
    steering: Steering,
    ping: Ping,
    clock: Callable[[], float] = time.monotonic,
) -> Reinitiated:
    """End the tunnel's SAs, wait for new ones, and try these. Raises `DoorError`."""
    plan, peer = _known(plan, name)
    if name not in steering.tunnels():
        raise DoorError(f"there is no tunnel to {name} itself: what is for it goes by another's")
    before = {sa.id for sa in steering.sas()}
    started = clock()
    await steering.reinitiate(name)
    while clock() - started < _UP_WITHIN:
        await asyncio.sleep(_LOOK_EVERY)
        if _is_anew(steering.sas(), name, before) and await _answers(plan, peer, ping):
            return Reinitiated(name, True, clock() - started)
    state = steering.tunnels().get(name)
    reason = (state.reason if state else "") or "its probe is not answered"
    return Reinitiated(name, False, clock() - started, reason)


def _is_anew(sas: tuple[IkeSa, ...], name: str, before: set[str]) -> bool:
    return any(
        sa.name == name
        and sa.established
        and sa.id not in before
        and any(child.carries for child in sa.children)
        for sa in sas
    )


async def _answers(plan: Plan, peer: Peer, ping: Ping) -> bool:
    target = next(iter(peer.overlay), None)
    if target is None:
        return True
    source = next((own for own in plan.overlay if own.version == target.version), None)
    return await ping(target, source, _PATIENCE, 16) is not None


def _known(plan: Plan | None, name: str) -> tuple[Plan, Peer]:
    if plan is None:
        raise DoorError("there is no plan, so there are no peers")
    peer = plan.peers.get(name)
    if peer is None:
        raise DoorError(f"the plan has no peer {name!r}")
    return plan, peer
