# SPDX-License-Identifier: Apache-2.0
"""Steering from nothing to a site child, and back after a loss: on fake charons, and on two real ones."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from msgspec import structs

from appliance.netcore.charon.events import listen
from appliance.netcore.charon.listing import AgreedSa
from appliance.netcore.desired.connections import connections, settings
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.values import Address
from appliance.netcore.probe.hubs import TunnelProbes
from appliance.netcore.probe.icmp import Pinger
from appliance.netcore.reconcile.steering import TunnelSteering
from appliance.netcore.tunnel import PROBE, SITE
from tests.contract.charon_pair import HUB, HUB_HOST, Pair, fake_pair, inside, real_pair
from tests.contract.test_charon import load
from tests.fakes.charon import FakeCharon


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.lab)])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    make = real_pair if request.param == "real" else fake_pair
    with make(tmp_path) as made:
        yield made


@dataclass
class Agent:
    """The part of an edge's agent that steers: one pass whenever something woke it."""

    pair: Pair
    steering: TunnelSteering
    woken: asyncio.Event
    hubs: list[str | None] = field(default_factory=list)

    async def run_until(self, holds: Callable[[], bool]) -> None:
        """Passes until `holds`; the deadline is generous, since the machine may be busy."""
        end = self.pair.edge
        async with asyncio.timeout(20):
            while True:
                self.woken.clear()
                try:
                    await self.steering.look(end.plan)
                except DoorError:
                    await asyncio.sleep(0.01)
                    continue
                facts = self.steering.facts(end.facts)
                self.hubs.append(facts.hub)
                if holds():
                    return
                due = self.steering.step(end.plan, facts)
                wait = None if due is None else max(0.0, due - asyncio.get_running_loop().time())
                try:
                    async with asyncio.timeout(wait):
                        await self.woken.wait()
                except TimeoutError:
                    continue

    def has(self, *children: str) -> bool:
        found = [c.name for sa in self.steering.sas() for c in sa.children if c.carries]
        return sorted(found) == sorted(children)


@asynccontextmanager
async def an_agent(pair: Pair) -> AsyncIterator[Agent]:
    woken = asyncio.Event()
    clock = asyncio.get_running_loop().time
    pinger = Pinger(clock)

    async def ping(destination: Address, source: Address | None, timeout: float) -> float | None:
        if isinstance(pair.edge.charon, FakeCharon):
            await asyncio.sleep(0.01)
            assert isinstance(pair.hub.charon, FakeCharon)
            return 0.01 if pair.edge.charon.sas and pair.hub.charon.sas else None
        with inside(pair.edge_namespace):
            pinger.open()
        return await pinger.ping(destination, source, timeout)

    probes = TunnelProbes(ping, clock, lambda _name: woken.set())
    events = asyncio.create_task(listen(pair.edge.charon.socket, woken.set))
    agent = Agent(pair, TunnelSteering(pair.edge.charon, probes, woken.set, clock), woken)
    try:
        yield agent
    finally:
        events.cancel()
        await agent.steering.close()
        await probes.close()
        pinger.close()
        await asyncio.gather(events, return_exceptions=True)


async def test_from_nothing_to_a_hub_that_answers(pair: Pair) -> None:
    await load(pair.hub)
    await load(pair.edge)
    async with an_agent(pair) as agent:
        await agent.run_until(
            lambda: agent.has(PROBE, SITE) and agent.steering.tunnels()[HUB].up and agent.hubs[-1] == HUB
        )
        tunnel = agent.steering.tunnels()[HUB]
        assert tunnel.chosen
        assert tunnel.rtt is not None
        assert tunnel.reason == ""


async def test_a_restarted_agent_tears_nothing_down(pair: Pair) -> None:
    await load(pair.hub)
    await load(pair.edge)
    async with an_agent(pair) as agent:
        await agent.run_until(lambda: agent.has(PROBE, SITE))
        before = {c.id for sa in agent.steering.sas() for c in sa.children}
    await load(pair.edge)
    async with an_agent(pair) as again:
        await again.run_until(lambda: HUB in again.steering.tunnels() and again.steering.tunnels()[HUB].up)
        assert {c.id for sa in again.steering.sas() for c in sa.children} == before


async def test_a_tunnel_that_is_taken_down_comes_back(pair: Pair) -> None:
    await load(pair.hub)
    await load(pair.edge)
    async with an_agent(pair) as agent:
        await agent.run_until(lambda: agent.has(PROBE, SITE))
        (first,) = agent.steering.sas()
        await pair.edge.charon.terminate_ike(HUB, force=True)
        await agent.run_until(
            lambda: agent.has(PROBE, SITE) and all(sa.id != first.id for sa in agent.steering.sas())
        )


async def test_a_hub_that_was_killed_gets_the_site_again_when_it_is_back(pair: Pair) -> None:
    await load(pair.hub)
    await load(pair.edge)
    async with an_agent(pair) as agent:
        await agent.run_until(lambda: agent.has(PROBE, SITE) and agent.steering.tunnels()[HUB].up)
        (first,) = agent.steering.sas()
        pair.kill_hub()
        await agent.run_until(lambda: all(sa.id != first.id for sa in agent.steering.sas()))
        pair.start_hub()
        await load(pair.hub)
        await agent.run_until(lambda: agent.has(PROBE, SITE) and agent.steering.tunnels()[HUB].up)


async def test_the_hub_sees_whom_it_carries(pair: Pair) -> None:
    await load(pair.hub)
    await load(pair.edge)
    hub = TunnelSteering(pair.hub.charon, TunnelProbes(_never, lambda: 0.0, lambda _name: None), lambda: None)
    await hub.look(pair.hub.plan)
    assert hub.carried() == {}
    async with an_agent(pair) as agent:
        await agent.run_until(lambda: agent.has(PROBE, SITE))
        await hub.look(pair.hub.plan)
        first = hub.carried()
        assert list(first) == [pair.edge.plan.identity.name]
        await hub.look(pair.hub.plan)
        assert hub.carried() == first
        assert hub.tunnels()[pair.edge.plan.identity.name].up


async def _never(_destination: Address, _source: Address | None, _timeout: float) -> float | None:
    return None


async def test_without_credentials_the_reason_is_told(pair: Pair) -> None:
    await load(pair.edge)
    async with an_agent(pair) as agent:
        await agent.run_until(lambda: "AUTH" in _reason(agent) or "NO_PROPOSAL" in _reason(agent))


def _reason(agent: Agent) -> str:
    tunnel = agent.steering.tunnels().get(HUB)
    return tunnel.reason if tunnel is not None else ""


async def test_a_dead_address_of_a_hub_lets_the_next_one_have_its_turn(pair: Pair) -> None:
    await load(pair.hub)
    hub = structs.replace(pair.edge.plan.peers[HUB], addresses=("192.0.2.99", HUB_HOST))
    plan = structs.replace(pair.edge.plan, peers={**pair.edge.plan.peers, HUB: hub})
    edge = replace(pair.edge, plan=plan)
    await load(edge)
    async with an_agent(replace(pair, edge=edge)) as agent:
        await agent.run_until(lambda: agent.steering.turns() == {HUB: 1})
        await load(replace(edge, facts=replace(edge.facts, turns=agent.steering.turns())))
        await agent.run_until(lambda: agent.has(PROBE, SITE))
        # With an IKE SA up the address is good, whatever else fails.
        assert agent.steering.turns() == {HUB: 1}


@pytest.mark.lab
@pytest.mark.parametrize("late", [0.0, 0.3], ids=["seen at once", "seen after the next pass"])
async def test_site_child_that_carries_nothing_of_the_site_is_not_kept(
    tmp_path: Path, late: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that knows other networks behind the edge agrees to what its probe's child has."""
    with real_pair(tmp_path) as pair:
        ask = pair.edge.charon.list_agreed

        async def ask_late(connection: str | None = None) -> tuple[AgreedSa, ...]:
            await asyncio.sleep(late)
            return await ask(connection)

        monkeypatch.setattr(pair.edge.charon, "list_agreed", ask_late)
        await load(pair.hub)
        name = pair.edge.plan.identity.name
        wrong = dict(settings(connections(pair.hub.plan, pair.hub.facts)[name]))
        right = wrong["children"]
        wrong["children"] = {**right, SITE: {**right[SITE], "remote_ts": ["192.0.2.0/24"]}}
        await pair.hub.charon.load_connection(name, wrong)
        await load(pair.edge)
        async with an_agent(pair) as agent:

            def reason() -> str:
                tunnels = agent.steering.tunnels()
                return tunnels[HUB].reason if HUB in tunnels else "not seen yet"

            await agent.run_until(lambda: "agreed to less" in reason())
            await pair.hub.charon.load_connection(name, wrong | {"children": right})
            await agent.run_until(lambda: agent.has(PROBE, SITE) and agent.hubs[-1] == HUB)
            await agent.run_until(lambda: reason() == "")
