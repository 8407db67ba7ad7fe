# SPDX-License-Identifier: Apache-2.0
"""Peers, and what a person may do to a tunnel."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from appliance.looks.tunnels import peers, probe, reinitiate
from appliance.netcore.desired.facts import Facts
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.exchange import TunnelState
from appliance.netcore.plan.values import Address, Path
from appliance.netcore.tunnel import PROBE, ChildSa, IkeSa
from tests.unit.plan.plans import edge_plan

PLAN = edge_plan()
HUB = next(iter(PLAN.hubs))
UP = {HUB: TunnelState(up=True, chosen=True)}


@dataclass
class Steering:
    """Tunnels that come back, or do not, once they were ended."""

    comes_back: bool = True
    number: int = 1
    ended: list[str] = field(default_factory=list)

    def sas(self) -> tuple[IkeSa, ...]:
        child = ChildSa(PROBE, str(self.number), "INSTALLED")
        return (IkeSa(HUB, str(self.number), "ESTABLISHED", children=(child,)),)

    def tunnels(self) -> Mapping[str, TunnelState]:
        return UP if not self.ended or self.comes_back else {HUB: TunnelState(up=False, reason="no IKE SA")}

    async def reinitiate(self, connection: str) -> None:
        self.ended.append(connection)
        self.number += self.comes_back


async def answers(_target: Address, _source: Address | None, _timeout: float, size: int) -> float | None:
    return 0.002 if size < 1000 else None


def test_peers_behind_a_hub_go_by_it() -> None:
    found = peers(PLAN, Facts(hub=HUB), UP)
    assert found.count == len(found.peers) == len(PLAN.peers)
    by_name = {one.name: one for one in found.peers}
    assert by_name[HUB].via == HUB
    others = [one for name, one in by_name.items() if name not in UP]
    assert {(one.path, one.via, one.up) for one in others} == {(Path.HUB, HUB, True)}
    assert not any(one.up for one in peers(PLAN, Facts(), {}).peers)
    assert peers(None, Facts(), {}).count == 0


async def test_a_probe_says_what_came_back() -> None:
    found = await probe(PLAN, HUB, answers)
    assert (found.sent, len(found.rtts), found.large) == (5, 5, False)
    assert found.size == PLAN.tunnel.mtu
    for plan, name in ((PLAN, "stranger"), (None, HUB)):
        with pytest.raises(DoorError):
            await probe(plan, name, answers)


async def test_a_tunnel_comes_back_with_another_sa() -> None:
    steering = Steering()
    found = await reinitiate(PLAN, HUB, steering, answers)
    assert (found.up, found.reason) == (True, "")
    assert steering.ended == [HUB]


async def test_a_tunnel_that_stays_away_says_why() -> None:
    times = iter(range(0, 100, 7))
    found = await reinitiate(PLAN, HUB, Steering(comes_back=False), answers, lambda: float(next(times)))
    assert (found.up, found.reason) == (False, "no IKE SA")


async def test_a_peer_without_a_tunnel_of_its_own_is_refused() -> None:
    steering = Steering()
    other = next(name for name in PLAN.peers if name not in UP)
    with pytest.raises(DoorError, match="no tunnel to"):
        await reinitiate(PLAN, other, steering, answers)
    assert steering.ended == []
