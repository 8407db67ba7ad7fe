# SPDX-License-Identifier: Apache-2.0
"""What is promised of the name cache's tables: on the fake, and on a real unbound in the test's namespace."""

import asyncio
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from appliance.looks.names import lookup, name_cache
from appliance.netcore.desired.dns import forwards, records, unbound_conf
from appliance.netcore.desired.facts import Facts
from appliance.netcore.dnscache.control import UnboundControl
from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.plan.model import Dns, Plan
from appliance.netcore.reconcile.dns import RECORDS, ConfTable, ForwardTable, RecordTable, Unbound
from appliance.netcore.reconcile.table import Phase, reconcile
from appliance.netcore.records import Record
from appliance.paths import Paths
from appliance.status.views import Source
from tests.contract.namespace import ip, own_namespace
from tests.contract.query import NOERROR, NXDOMAIN, REFUSED, Answer, ask
from tests.fakes.unbound import FakeUnbound
from tests.lab.process import Process
from tests.lab.wait import until
from tests.unit.plan.plans import edge_plan

CACHE = "169.254.20.10"
UPSTREAM = ip_address("127.0.0.99")
WEB = "web.default.svc.cluster.local."
HERE, SIX, ELSEWHERE = (ip_address(text) for text in ("10.96.0.10", "fd00:96::10", "192.0.2.7"))

# Knows every name there is, so that a name which does not exist was not asked for here.
_UPSTREAM = """server:
    interface: {address}
    access-control: 0.0.0.0/0 allow
    do-daemonize: no
    chroot: ""
    username: ""
    directory: ""
    pidfile: ""
    use-syslog: no
    module-config: "iterator"
    local-zone: "." redirect
    local-data: ". 1 IN A 192.0.2.7"
    local-zone: "test." redirect
    local-data: "test. 1 IN A 192.0.2.7"
remote-control:
    control-enable: no
"""


class Cache(Protocol):
    """A cache that runs on the plan's settings, without its data."""

    unbound: Unbound
    conf: Path

    def stop(self) -> None: ...

    def start(self) -> None: ...


class FakeCache:
    def __init__(self, root: Path) -> None:
        self._fake = FakeUnbound()
        self.unbound: Unbound = self._fake
        self.conf = Paths(root).run / "unbound.conf"

    def stop(self) -> None:
        self._fake.running = False

    def start(self) -> None:
        self._fake = FakeUnbound()
        self.unbound = self._fake


class RealCache:
    """In the namespace of the calling thread."""

    def __init__(self, root: Path) -> None:
        paths = Paths(root)
        self.unbound: Unbound = UnboundControl(paths.unbound_control)
        self.conf = paths.run / "unbound.conf"
        self._log = root / "unbound.log"
        self.conf.parent.mkdir(parents=True)
        self.conf.write_text(unbound_conf(plan(), Facts(), paths).settings)
        self.start()

    def stop(self) -> None:
        self._process.stop()

    def start(self) -> None:
        self._process = Process(("unbound", "-c", str(self.conf)), self._log)
        self._process.wait_for("start of service", 10)


def plan(**dns: object) -> Plan:
    """`web` on both families, and a record outside the cluster's domain."""
    made = edge_plan()
    web = msgspec.structs.replace(made.services["default/web"], addresses=(HERE, SIX))
    held = Dns(bind=(ip_address(CACHE),), records={"Registry.Example.com": (ELSEWHERE,)})
    return msgspec.structs.replace(
        made, services={"default/web": web}, dns=msgspec.structs.replace(held, **dns)
    )


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.lab)])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cache]:
    if request.param == "fake":
        yield FakeCache(tmp_path)
        return
    yield from _real(tmp_path)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Cache]:
    yield from _real(tmp_path)


def _real(root: Path) -> Iterator[Cache]:
    with own_namespace():
        # Its address comes after it, as on a device that boots.
        cache = RealCache(root)
        try:
            ip(f"addr add {CACHE}/32 dev lo")
            yield cache
        finally:
            cache.stop()


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Process]:
    """Started in the namespace that a fixture before has moved into."""
    conf = tmp_path / "upstream.conf"
    conf.write_text(_UPSTREAM.format(address=UPSTREAM))
    server = Process(("unbound", "-c", str(conf)), tmp_path / "upstream.log")
    try:
        server.wait_for("start of service", 10)
        yield server
    finally:
        server.stop()


async def test_records_are_put_and_then_right(cache: Cache) -> None:
    table = RecordTable(cache.unbound)
    wanted = {RECORDS: records(plan())}
    assert (await reconcile(table, wanted)).changed == (RECORDS,)
    assert await cache.unbound.records() == wanted[RECORDS]
    assert (await reconcile(table, wanted)).changed == ()
    assert (await reconcile(RecordTable(cache.unbound), wanted)).changed == ()


async def test_a_name_may_gain_and_lose_addresses(cache: Cache) -> None:
    table = RecordTable(cache.unbound)
    first, second, third = (Record(WEB, 5, address) for address in (HERE, SIX, ELSEWHERE))
    for wish in ({first}, {first, second}, {second, third}, {Record(WEB, 60, HERE)}, set()):
        await table.put(RECORDS, frozenset(wish))
        assert await cache.unbound.records() == wish


async def test_thousands_of_records_go_at_once(cache: Cache) -> None:
    many = frozenset(Record(f"s{n}.default.svc.cluster.local.", 5, HERE + n) for n in range(2000))
    await RecordTable(cache.unbound).put(RECORDS, many)
    assert await cache.unbound.records() == many


async def test_nonsense_is_refused(cache: Cache) -> None:
    with pytest.raises(DoorError, match="refused"):
        await cache.unbound.add_records([Record("two words.", 5, HERE)])
    assert await cache.unbound.records() == frozenset()


async def test_forwards_are_put_replaced_and_removed(cache: Cache) -> None:
    table = ForwardTable(cache.unbound)
    one, two = frozenset({UPSTREAM}), frozenset({UPSTREAM, ip_address("fd00::53")})
    for wish in ({".": one}, {".": two, "corp.example.": one}, {".": one}, {}):
        outcome = await reconcile(table, wish)
        assert {status.phase for status in outcome.statuses.values()} <= {Phase.APPLIED}
        assert await cache.unbound.forwards() == wish
        assert (await reconcile(table, wish)).changed == ()
    await cache.unbound.remove_forward("never.was.")


async def test_without_unbound_everything_waits(cache: Cache) -> None:
    cache.stop()
    outcome = await reconcile(RecordTable(cache.unbound), {RECORDS: records(plan())})
    assert outcome.statuses[RECORDS].phase is Phase.WAITING
    assert "waiting for unbound" in outcome.statuses[RECORDS].reason
    with pytest.raises(NotYetError):
        await cache.unbound.forwards()


async def test_settings_that_change_are_read_anew(cache: Cache, tmp_path: Path) -> None:
    table = ConfTable(cache.unbound, cache.conf)
    paths, bare = Paths(tmp_path), plan(records={})
    await reconcile(table, {cache.conf: unbound_conf(plan(), Facts(), paths)})
    mark = Record("mark.cluster.local.", 5, HERE)
    await cache.unbound.add_records([mark])
    # Data alone is no reason for a reload, which would drop what came over the socket.
    assert (await reconcile(table, {cache.conf: unbound_conf(bare, Facts(), paths)})).changed
    assert mark in await cache.unbound.records()
    grown = msgspec.structs.replace(bare, prefixes=(*bare.prefixes, *bare.peers["shop2"].prefixes))
    assert (await reconcile(table, {cache.conf: unbound_conf(grown, Facts(), paths)})).changed
    assert mark not in await cache.unbound.records()
    assert (await reconcile(table, {cache.conf: unbound_conf(grown, Facts(), paths)})).changed == ()


@pytest.mark.lab
async def test_names_resolve_and_unknown_ones_do_not_leak(real: Cache, upstream: Process) -> None:
    await reconcile(RecordTable(real.unbound), {RECORDS: records(plan())})
    await reconcile(ForwardTable(real.unbound), forwards(plan(forwards={".": (UPSTREAM,)}), Facts()))
    assert ask(CACHE, WEB) == Answer(NOERROR, frozenset({HERE}), 5)
    assert ask(CACHE, WEB.upper(), "AAAA") == Answer(NOERROR, frozenset({SIX}), 5)
    assert ask(CACHE, "nosuch.default.svc.cluster.local") == Answer(NXDOMAIN)
    assert ask(CACHE, "cluster.local") in (Answer(NOERROR), Answer(NXDOMAIN))
    assert ask(CACHE, "www.example.org") == Answer(NOERROR, frozenset({ELSEWHERE}), 1)
    assert ask(CACHE, "registry.example.com") == Answer(NOERROR, frozenset({ELSEWHERE}), 5)
    # A name that has only an IPv4 address exists, and says so.
    assert ask(CACHE, "registry.example.com", "AAAA") == Answer(NOERROR)


@pytest.mark.lab
async def test_what_a_person_looks_up_says_where_it_is_from(real: Cache, upstream: Process) -> None:
    """From the plan, from above, from the cache; and upstream gone, what was known, and a name that waits."""
    unbound = real.unbound
    assert isinstance(unbound, UnboundControl)
    made = plan(forwards={".": (UPSTREAM,)})
    await reconcile(RecordTable(unbound), {RECORDS: records(made)})
    await reconcile(ForwardTable(unbound), forwards(made, Facts()))
    found = [await lookup(unbound, made, name) for name in (WEB, "www.example.org", "www.example.org")]
    assert [one.source for one in found] == [Source.PLAN, Source.FORWARD, Source.CACHE]
    assert found[1].addresses == (str(ELSEWHERE),)
    assert found[1].servers == (str(UPSTREAM),)
    upstream.stop()
    waiting = asyncio.ensure_future(lookup(unbound, made, "slow.example.org"))
    async with asyncio.timeout(5):
        while not (cache := await name_cache(unbound, made)).waiting:
            await asyncio.sleep(0.05)
    assert {one.name for one in cache.waiting} == {"slow.example.org."}
    assert (cache.queries, cache.hits) >= (6, 3)
    assert str(UPSTREAM) in [one.address for one in cache.servers]
    assert (await waiting).source in (Source.NOBODY, Source.FORWARD)


@pytest.mark.lab
async def test_a_forward_opens_a_zone_that_unbound_would_keep_to_itself(
    real: Cache, upstream: Process
) -> None:
    assert ask(CACHE, "www.corp.test") == Answer(NXDOMAIN)
    await reconcile(ForwardTable(real.unbound), {"corp.test.": frozenset({UPSTREAM})})
    assert ask(CACHE, "www.corp.test") == Answer(NOERROR, frozenset({ELSEWHERE}), 1)


@pytest.mark.lab
async def test_strangers_are_refused(real: Cache) -> None:
    ip("addr add 203.0.113.5/32 dev lo")
    ip("addr add 10.200.1.77/32 dev lo")
    await reconcile(RecordTable(real.unbound), {RECORDS: records(plan())})
    assert ask(CACHE, WEB, source="203.0.113.5") == Answer(REFUSED)
    assert ask(CACHE, WEB, source="10.200.1.77") == Answer(NOERROR, frozenset({HERE}), 5)


@pytest.mark.lab
async def test_what_was_known_is_answered_while_upstream_is_away(real: Cache, upstream: Process) -> None:
    await reconcile(ForwardTable(real.unbound), {".": frozenset({UPSTREAM})})
    assert ask(CACHE, "www.example.org") == Answer(NOERROR, frozenset({ELSEWHERE}), 1)
    upstream.stop()
    stale = [ask(CACHE, "www.example.org") for _ in range(3)]
    until(lambda: ask(CACHE, "www.example.org") == Answer(NOERROR, frozenset({ELSEWHERE}), 30), "stale", 10)
    assert None not in stale


@pytest.mark.lab
async def test_names_are_there_again_after_a_restart_without_any_agent(real: Cache, tmp_path: Path) -> None:
    real.stop()
    real.conf.write_text(
        unbound_conf(plan(), Facts(resolvers=(UPSTREAM, ip_address(CACHE))), Paths(tmp_path)).text
    )
    real.start()
    assert ask(CACHE, WEB) == Answer(NOERROR, frozenset({HERE}), 5)
    assert await real.unbound.forwards() == {".": frozenset({UPSTREAM})}
    # And the agent, when it comes, finds nothing to do.
    assert (await reconcile(RecordTable(real.unbound), {RECORDS: records(plan())})).changed == ()
