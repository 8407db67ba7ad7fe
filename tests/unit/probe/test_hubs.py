# SPDX-License-Identifier: Apache-2.0
"""What probes say of a tunnel."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

from appliance.netcore.plan.values import Address
from appliance.netcore.probe.hubs import (
    Target,
    TunnelProbes,
    after_answer,
    after_loss,
    after_renewal,
    misses_needed,
    timeout_of,
)
from appliance.netcore.tunnel import Health, Reach

HUB = ip_address("10.255.0.11")
OWN = ip_address("10.255.0.1")


def heard(samples: Iterable[float | None], reach: Reach | None = None) -> Reach:
    """`reach` after these round trips, one a second; None is a loss."""
    reach = reach or Reach()
    for now, rtt in enumerate(samples, start=1):
        reach = after_loss(reach, 3, now) if rtt is None else after_answer(reach, rtt, now)
    return reach


def test_one_answer_makes_it_alive_and_three_losses_in_a_row_dead() -> None:
    assert heard([]).health is Health.UNKNOWN
    assert heard([0.1]).health is Health.ALIVE
    assert heard([0.1, None, None]).health is Health.ALIVE
    assert heard([0.1, None, None, None]).health is Health.DEAD
    assert heard([None, None, None]).health is Health.DEAD
    assert heard([0.1, None, None, None, 0.1]).health is Health.ALIVE


def test_since_is_the_last_change() -> None:
    assert heard([0.1, 0.1, 0.1]).since == 1
    assert heard([0.1, None, None, None, None]).since == 4


def test_a_link_that_always_loses_a_third_needs_more_to_look_dead() -> None:
    lossy = heard([0.1, 0.1, None] * 40)
    assert lossy.health is Health.ALIVE
    assert misses_needed(lossy, 3) > 4
    assert heard([None] * 12, lossy).health is Health.DEAD


def test_the_outage_itself_does_not_move_the_goal() -> None:
    clean = heard([0.1] * 50)
    assert [misses_needed(heard([None] * n, clean), 3) for n in range(4)] == [3, 3, 3, 3]


def test_neither_a_long_outage_nor_a_slow_start_delays_the_next_verdict() -> None:
    """Seen with real charons: ten seconds to notice a second failure soon after the first."""
    back = after_renewal(heard([0.1, *[None] * 60]), 61)
    assert back.loss == pytest.approx(0.0)
    assert heard([0.1, None, None, None], back).health is Health.DEAD
    assert heard([*[None] * 60, 0.1, None, None, None]).health is Health.DEAD


def test_an_outage_does_not_make_a_bad_link_look_better() -> None:
    lossy = heard([0.1, 0.1, None] * 40)
    dead = heard([None] * 12, lossy)
    assert misses_needed(after_renewal(dead, 1), 3) == misses_needed(lossy, 3)


def test_a_new_tunnel_is_not_judged_by_the_old_one() -> None:
    dead = heard([0.1, None, None, None])
    assert after_renewal(dead, 9.0) == Reach(Health.UNKNOWN, 9.0, dead.rtt, dead.loss)
    alive = heard([0.1, None])
    assert after_renewal(alive, 9.0).health is Health.ALIVE
    assert after_renewal(alive, 9.0).since == alive.since


@pytest.mark.parametrize(("rtt", "wait"), [(None, 1.0), (0.001, 0.25), (0.1, 0.4), (0.6, 1.0)])
def test_the_wait_for_an_answer_follows_the_round_trip(rtt: float | None, wait: float) -> None:
    assert timeout_of(Reach(rtt=rtt), 1.0) == pytest.approx(wait)


@dataclass
class Path:
    """A path that can be cut; probes through it take no time."""

    cut: bool = False
    sent: list[tuple[Address, Address | None]] = field(default_factory=list)

    async def ping(self, destination: Address, source: Address | None, _timeout: float) -> float | None:
        self.sent.append((destination, source))
        await asyncio.sleep(0)
        return None if self.cut else 0.001


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0)


async def test_verdicts_are_told_as_they_change() -> None:
    path = Path()
    told: list[str] = []
    probes = TunnelProbes(path.ping, asyncio.get_running_loop().time, told.append)
    aim = {"hub": Target(HUB, OWN, "1")}
    probes.aim(aim, 0.001, 3)
    await until(lambda: told == ["hub"])
    assert path.sent[0] == (HUB, OWN)
    path.cut = True
    await until(lambda: probes.reach()["hub"].health is Health.DEAD)
    probes.aim({"hub": Target(HUB, OWN, "2")}, 0.001, 3)
    assert probes.reach()["hub"].health is Health.UNKNOWN
    path.cut = False
    await until(lambda: probes.reach()["hub"].health is Health.ALIVE)
    await probes.close()


async def test_a_new_tunnel_is_probed_without_waiting_for_the_interval() -> None:
    path = Path()
    probes = TunnelProbes(path.ping, asyncio.get_running_loop().time, lambda _: None)
    probes.aim({"hub": Target(HUB, OWN, "1")}, 3600, 3)
    await until(lambda: len(path.sent) == 1)
    await asyncio.sleep(0)
    probes.aim({"hub": Target(HUB, OWN, "2")}, 3600, 3)
    await until(lambda: len(path.sent) == 2)
    await probes.close()


async def test_who_is_no_target_any_more_is_forgotten() -> None:
    path = Path()
    probes = TunnelProbes(path.ping, asyncio.get_running_loop().time, lambda _: None)
    probes.aim({"hub": Target(HUB, OWN, "1")}, 3600, 3)
    await until(lambda: len(path.sent) == 1)
    probes.aim({}, 3600, 3)
    assert probes.reach() == {}
    await probes.close()
