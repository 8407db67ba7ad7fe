# SPDX-License-Identifier: Apache-2.0
"""When a backend counts as dead; time and the network are given."""

import asyncio
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from appliance.netcore.probe.backends import BackendProbes, Target

A, B = (ip_address("10.200.1.5"), 8080), (ip_address("10.200.1.6"), 8080)


class Site:
    """Backends that answer or not, a clock that a test moves, and what was said of it."""

    def __init__(self) -> None:
        self.answering: set[Target] = {A, B}
        self.said: list[frozenset[Target]] = []
        self.asked: list[Target] = []
        self.rests: asyncio.Queue[float] = asyncio.Queue()
        self.ticks: asyncio.Queue[None] = asyncio.Queue()
        self.probes = BackendProbes(self.said.append, answers=self._answers, sleep=self._sleep)

    async def _answers(self, target: Target) -> bool:
        self.asked.append(target)
        await asyncio.sleep(0)
        return target in self.answering

    async def _sleep(self, seconds: float) -> None:
        self.rests.put_nowait(seconds)
        await self.ticks.get()


async def test_two_failures_in_a_row_are_death_and_one_success_is_life() -> None:
    site = Site()
    site.probes.set_targets({A, B})
    site.answering = {B}
    await site.probes.probe_all()
    assert site.probes.dead == frozenset()
    await site.probes.probe_all()
    await site.probes.probe_all()
    assert site.probes.dead == {A}
    site.answering = {A, B}
    await site.probes.probe_all()
    assert site.said == [frozenset({A}), frozenset()]


@given(st.lists(st.booleans()))
def test_dead_is_after_any_history_what_failed_the_last_two_times(history: list[bool]) -> None:
    async def live() -> frozenset[Target]:
        site = Site()
        site.probes.set_targets({A})
        for answered in history:
            site.answering = {A} if answered else set()
            await site.probes.probe_all()
        return site.probes.dead

    assert (asyncio.run(live()) == {A}) is (history[-2:] == [False, False])


async def test_what_is_known_survives_a_change_of_targets() -> None:
    site = Site()
    site.answering = set()
    site.probes.set_targets({A})
    await site.probes.probe_all()
    await site.probes.probe_all()
    site.probes.set_targets({A, B})
    assert site.probes.dead == {A}
    site.probes.set_targets({B})
    assert site.probes.dead == frozenset()
    # Who comes back is new.
    site.probes.set_targets({A, B})
    assert site.probes.dead == frozenset()
    assert site.said == [frozenset({A}), frozenset()]


async def test_a_target_that_goes_while_it_is_asked_stays_gone() -> None:
    site = Site()
    site.answering = set()
    site.probes.set_targets({A, B})
    asking = asyncio.create_task(site.probes.probe_all())
    await asyncio.sleep(0)
    site.probes.set_targets({B})
    await asking
    await site.probes.probe_all()
    assert site.probes.dead == {B}


async def test_not_all_are_asked_at_once() -> None:
    asking = 0
    most = 0

    async def answers(target: Target) -> bool:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        await asyncio.sleep(0)
        asking -= 1
        return True

    probes = BackendProbes(lambda dead: None, answers=answers)
    probes.set_targets({(ip_address("10.200.1.5"), port) for port in range(1, 101)})
    await probes.probe_all()
    assert most == 32


async def test_rounds_go_on_until_it_is_stopped() -> None:
    site = Site()
    site.probes.start()
    site.probes.start()
    await asyncio.sleep(0)
    assert site.asked == []
    site.probes.set_targets({A})
    for rounds in (1, 2, 3):
        assert await asyncio.wait_for(site.rests.get(), 5) == 1.0
        assert site.asked == [A] * rounds
        site.ticks.put_nowait(None)
    await site.probes.stop()
    await site.probes.stop()
    assert [task for task in asyncio.all_tasks() if task.get_name() == "backend probes"] == []
