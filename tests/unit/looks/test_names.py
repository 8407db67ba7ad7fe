# SPDX-License-Identifier: Apache-2.0
"""The name cache as it is shown, from what unbound 1.17 really prints."""

from dataclasses import dataclass, field, replace
from ipaddress import ip_address

import pytest

from appliance.looks.names import lookup, name_cache
from appliance.netcore.dnscache.listing import (
    CacheStatistics,
    Pending,
    Upstream,
    read_pending,
    read_servers,
    read_statistics,
    read_upstreams,
)
from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.plan.values import Address
from appliance.netcore.probe.names import Answer
from appliance.status.views import Source
from tests.unit.plan.plans import edge_plan

STATISTICS = """thread0.num.queries=30
total.num.queries=30
total.num.cachehits=27
total.num.cachemiss=3
total.num.prefetch=1
total.num.expired=2
total.num.recursivereplies=3
total.recursion.time.avg=0.840000
total.recursion.time.median=0.0481
time.up=4.762200
histogram.000000.524288.to.000001.000000=1
histogram.000001.000000.to.000002.000000=1
histogram.000002.000000.to.000004.000000=1
num.answer.rcode.SERVFAIL=1
"""
REQUESTS = """thread #0
#   type cl name    seconds    module status
  0    A IN slow.example.com. 3.760621 iterator wait for 192.0.2.97
  1   NS IN . - iterator wait for 192.0.2.97
"""
SERVERS = (
    "192.0.2.98@53 . ttl 896 ping 0 var 94 rtt 376 rto 1504 tA 3 tAAAA 0 tother 0 ednsknown 0 edns 0 "
    "delay 0 lame dnssec 0 rec 0 A 0 other 0\n"
    "192.0.2.99 example.com. expired, rto 376 tA 0 tAAAA 0 tother 0\n"
)
LOOKUP = """The following name servers are used for lookup of www.example.com.
forwarding request:
Delegation with 0 names, of which 0 can be examined to query further addresses.
It provides 2 IP addresses.
192.0.2.98      \trto 1504 msec, ttl 896, ping 0 var 94 rtt 376, tA 3, tAAAA 0, tother 0, EDNS 0 assumed.
2001:db8::97    \tnot in infra cache.
"""


def test_figures_are_read() -> None:
    found = read_statistics(STATISTICS)
    assert (found.queries, found.hits, found.misses) == (30, 27, 3)
    assert (found.expired, found.failed, found.slow) == (2, 1, 2)
    assert (found.average, found.median) == (0.84, 0.0481)
    assert read_statistics("") == CacheStatistics()


def test_what_it_waits_for_is_read() -> None:
    assert list(read_pending(REQUESTS)) == [
        Pending("slow.example.com.", "A", 3.760621, "wait for 192.0.2.97")
    ]


def test_whom_it_asks_is_read() -> None:
    assert list(read_upstreams(SERVERS)) == [Upstream("192.0.2.98", ".", 0.376, 3)]
    assert list(read_servers(LOOKUP)) == ["192.0.2.98", "2001:db8::97"]


@dataclass
class Unbound:
    """One that counts as it is told."""

    figures: list[CacheStatistics] = field(default_factory=lambda: [CacheStatistics()])
    silent: bool = False

    async def statistics(self) -> CacheStatistics:
        if self.silent:
            raise NotYetError("waiting for unbound")
        return self.figures.pop(0) if len(self.figures) > 1 else self.figures[0]

    async def pending(self) -> tuple[Pending, ...]:
        return tuple(read_pending(REQUESTS))

    async def upstreams(self) -> tuple[Upstream, ...]:
        return tuple(read_upstreams(SERVERS))

    async def servers_for(self, name: str) -> tuple[str, ...]:
        return tuple(read_servers(LOOKUP))


async def test_the_cache_in_figures() -> None:
    found = await name_cache(Unbound([read_statistics(STATISTICS)]), edge_plan())
    assert (found.queries, found.hits, found.average) == (30, 27, 0.84)
    assert [one.name for one in found.waiting] == ["slow.example.com."]
    assert [(one.address, one.lapsed) for one in found.servers] == [("192.0.2.98", 3)]
    fresh = await name_cache(Unbound(), None)
    assert (fresh.average, fresh.median, fresh.listens) == (None, None, ())


BEFORE = CacheStatistics(misses=3, expired=1)


@pytest.mark.parametrize(
    ("answer", "after", "source"),
    [
        (Answer(0, frozenset({ip_address("10.96.0.10")}), authoritative=True), BEFORE, Source.PLAN),
        (Answer(0, frozenset({ip_address("192.0.2.1")})), BEFORE, Source.CACHE),
        (Answer(0, frozenset({ip_address("192.0.2.1")})), replace(BEFORE, misses=4), Source.FORWARD),
        (
            Answer(0, frozenset({ip_address("192.0.2.1")})),
            replace(BEFORE, misses=4, expired=2),
            Source.EXPIRED,
        ),
        (Answer(2), replace(BEFORE, misses=4, expired=2), Source.FORWARD),
        (None, BEFORE, Source.NOBODY),
    ],
)
async def test_an_answer_says_where_it_is_from(
    answer: Answer | None, after: CacheStatistics, source: Source
) -> None:
    async def resolve(_server: Address, _name: str, _kind: str, _timeout: float) -> Answer | None:
        return answer

    found = await lookup(Unbound([BEFORE, after]), edge_plan(), "www.example.com", resolve)
    assert found.source is source
    assert found.addresses == tuple(str(one) for one in (answer.addresses if answer else ()))
    assert bool(found.servers) is (source is not Source.PLAN)


async def test_unbound_that_is_away_leaves_the_answer() -> None:
    async def resolve(_server: Address, _name: str, kind: str, _timeout: float) -> Answer | None:
        return Answer(3 if kind == "A" else 2)

    found = await lookup(Unbound(silent=True), edge_plan(), "x", resolve)
    assert (found.source, found.code) == (Source.FORWARD, "SERVFAIL")


@pytest.mark.parametrize("name", ["", "a b", "x\nreload", "a..b", ".", "x" * 64, "a;b", ("a." * 130) + "b"])
async def test_what_is_no_name_is_not_passed_on(name: str) -> None:
    with pytest.raises(DoorError, match="no name that can be looked up"):
        await lookup(Unbound(), edge_plan(), name)
