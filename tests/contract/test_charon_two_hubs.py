# SPDX-License-Identifier: Apache-2.0
"""Steering's runner with two hubs on fake charons: failover, back-off, and hurrying when a link changes."""

import asyncio
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import pytest
from msgspec import structs

from appliance.netcore.desired.connections import connections, settings
from appliance.netcore.desired.facts import Facts
from appliance.netcore.plan.identity import Identity, Place
from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.plan.values import Address, Role
from appliance.netcore.probe.hubs import TunnelProbes
from appliance.netcore.reconcile.steering import TunnelSteering
from appliance.netcore.spec import Ipsec
from appliance.netcore.tunnel import SITE
from tests.fakes.certificates import Authority
from tests.fakes.charon import FakeCharon, Wire
from tests.unit.plan.plans import edge_plan

ONE, TWO = "connector-1", "connector-2"
HOME = "192.168.1.10"
FACTS = Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec0", sources={hub: ip_address(HOME) for hub in (ONE, TWO)})


def hub_plan(edge: Plan, name: str) -> Plan:
    """What that hub knows of the edge."""
    peer = edge.peers[name]
    known = Peer(role=Role.EDGE, ike_id=edge.identity.ike_id, overlay=edge.overlay, prefixes=edge.prefixes)
    return structs.replace(
        edge,
        identity=Identity(cluster="lab", name=name, instance=peer.ike_id.partition(".")[0]),
        place=Place(role=Role.CONNECTOR, site="cloud"),
        overlay=peer.overlay,
        peers={edge.identity.name: known},
    )


@dataclass
class World:
    """An edge and two hubs in memory, with a clock that stands still until told otherwise."""

    directory: Path
    now: float = 1000.0
    wire: Wire = field(default_factory=Wire)
    plan: Plan = field(default_factory=edge_plan)
    authority: Authority = field(default_factory=Authority)

    def __post_init__(self) -> None:
        self.edge = FakeCharon(self.wire, HOME)
        self.hubs = {name: FakeCharon(self.wire, self.plan.hubs[name].addresses[0]) for name in (ONE, TWO)}
        self.by_overlay = {self.plan.hubs[name].overlay[0]: hub for name, hub in self.hubs.items()}
        self.probes = TunnelProbes(self.ping, lambda: self.now, lambda _name: None)
        self.steering = TunnelSteering(self.edge, self.probes, lambda: None, lambda: self.now)

    async def load(self) -> None:
        ends = [
            (self.edge, self.plan),
            *((hub, hub_plan(self.plan, name)) for name, hub in self.hubs.items()),
        ]
        for charon, plan in ends:
            device = self.authority.issue(plan.identity, self.directory)
            leaf = device.certificate.read_text()
            await charon.load_credentials((self.authority.pem,), leaf, device.key.read_bytes())
            for name, conn in connections(plan, FACTS).items():
                await charon.load_connection(name, settings(conn))

    async def ping(self, destination: Address, _source: Address | None, _timeout: float) -> float | None:
        await asyncio.sleep(0)
        return 0.01 if self.by_overlay[destination].sas else None

    async def settle(self, rounds: int = 30) -> None:
        """Passes with everything that they start run to its end; the clock moves a little with each."""
        for _ in range(rounds):
            await self.steering.look(self.plan)
            self.steering.step(self.plan, self.steering.facts(FACTS))
            for _ in range(20):
                await asyncio.sleep(0)
            self.now += 0.05

    def hub(self) -> str | None:
        return self.steering.facts(FACTS).hub


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_both_hubs_have_a_tunnel_and_the_best_one_the_site(world: World) -> None:
    await world.load()
    await world.settle()
    found = {sa.name: sorted(c.name for c in sa.children) for sa in world.steering.sas()}
    assert found == {ONE: ["probe", "site"], TWO: ["probe"]}
    assert world.hub() == ONE
    await world.steering.close()
    await world.probes.close()


async def test_the_site_moves_when_its_hub_is_killed(world: World) -> None:
    await world.load()
    world.plan = structs.replace(world.plan, tunnel=structs.replace(world.plan.tunnel, probe_interval=0.01))
    await world.settle()
    world.hubs[ONE].kill()
    async with asyncio.timeout(5):
        while world.hub() != TWO:
            await world.settle(1)
            await asyncio.sleep(0.005)
    sites = [sa.name for sa in world.steering.sas() if sa.carrying(SITE)]
    assert sites == [TWO]
    await world.steering.close()
    await world.probes.close()


async def test_a_hub_that_is_away_is_tried_ever_more_rarely_until_a_link_changes(world: World) -> None:
    await world.load()
    for hub in world.hubs.values():
        hub.kill()
    await world.settle(20 * 60)
    tries = world.edge.initiated.count((ONE, "probe"))
    assert 14 <= tries <= 28, "60 seconds with at most 4 between two tries"
    before = len(world.edge.initiated)
    world.steering.hurry()
    await world.settle(1)
    assert len(world.edge.initiated) == before + 2
    assert "giving up" in world.steering.tunnels()[ONE].reason
    await world.steering.close()
    await world.probes.close()
