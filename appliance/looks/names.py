# SPDX-License-Identifier: Apache-2.0
"""The name cache: how it does, and what it says to one question."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from appliance.netcore.desired.dns import listen_addresses
from appliance.netcore.dnscache.listing import CacheStatistics, Pending, Upstream
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Address
from appliance.netcore.probe.names import Answer, resolve
from appliance.status.views import Lookup, NameCache, NameServer, Source, Waiting

_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_LONGEST = 253
_PATIENCE = 4.0
_MOST = 50
_CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}

Resolve = Callable[[Address, str, str, float], Awaitable[Answer | None]]


class Cache(Protocol):
    """What is asked of unbound, as `dnscache.control.UnboundControl` answers it."""

    async def statistics(self) -> CacheStatistics: ...

    async def pending(self) -> tuple[Pending, ...]: ...

    async def upstreams(self) -> tuple[Upstream, ...]: ...

    async def servers_for(self, name: str) -> tuple[str, ...]: ...


async def name_cache(unbound: Cache, plan: Plan | None) -> NameCache:
    """Its figures, what it waits for, and whom it asks. Raises `DoorError`."""
    found = await unbound.statistics()
    waiting = sorted(await unbound.pending(), key=lambda one: -one.seconds)[:_MOST]
    servers = await unbound.upstreams()
    asked = found.recursions > 0
    return NameCache(
        uptime=found.uptime,
        queries=found.queries,
        hits=found.hits,
        misses=found.misses,
        prefetched=found.prefetched,
        expired=found.expired,
        failed=found.failed,
        slow=found.slow,
        average=found.average if asked else None,
        # A few answers are no median: unbound says 0 then.
        median=found.median or None if asked else None,
        waiting=tuple(Waiting(one.name, one.kind, one.seconds, one.state) for one in waiting),
        servers=tuple(NameServer(one.address, one.zone, one.rtt, one.lapsed) for one in servers[:_MOST]),
        listens=tuple(map(str, listen_addresses(plan))) if plan else (),
        domain=plan.dns.domain if plan else "",
    )


async def lookup(unbound: Cache, plan: Plan | None, name: str, ask: Resolve = resolve) -> Lookup:
    """Ask the cache itself for both families, and tell from where it had the answer. Raises `DoorError`."""
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        raise DoorError(f"{name[:60]!r} is no name that can be looked up")
    servers = listen_addresses(plan) if plan else ()
    if not servers:
        raise DoorError("the plan has no name cache for this device")
    before = await _counters(unbound)
    started = time.monotonic()
    answers = await asyncio.gather(*(ask(servers[0], name, kind, _PATIENCE) for kind in ("A", "AAAA")))
    seconds = time.monotonic() - started
    got = [answer for answer in answers if answer is not None]
    source = _source(got, before, await _counters(unbound))
    return Lookup(
        name=name,
        server=str(servers[0]),
        source=source,
        code=_code(got),
        addresses=tuple(sorted({str(address) for answer in got for address in answer.addresses})),
        seconds=seconds,
        servers=() if source is Source.PLAN else await _servers(unbound, name),
    )


async def _counters(unbound: Cache) -> CacheStatistics | None:
    """None if unbound does not answer us; it may still answer the question."""
    try:
        return await unbound.statistics()
    except DoorError:
        return None


async def _servers(unbound: Cache, name: str) -> tuple[str, ...]:
    try:
        return await unbound.servers_for(name)
    except DoorError:
        return ()


def _source(got: list[Answer], before: CacheStatistics | None, after: CacheStatistics | None) -> Source:
    """By the counters; somebody else's question at the same moment may count as ours, which is rare here."""
    if not got:
        return Source.NOBODY
    if any(answer.authoritative for answer in got):
        return Source.PLAN
    if before is None or after is None:
        return Source.FORWARD
    if after.expired > before.expired and any(answer.addresses for answer in got):
        return Source.EXPIRED
    return Source.FORWARD if after.misses > before.misses else Source.CACHE


def _code(got: list[Answer]) -> str:
    """Of two answers the one that is worth more: a name with one family only does exist."""
    codes = sorted(answer.code for answer in got)
    return _CODES.get(codes[0], str(codes[0])) if codes else ""
