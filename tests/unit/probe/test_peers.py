# SPDX-License-Identifier: Apache-2.0
"""Peers behind a hub: silent after some echoes, and back with the first."""

import asyncio

import msgspec
import pytest

from appliance.netcore.plan.values import Address, OnDown
from appliance.netcore.probe import peers as room
from appliance.netcore.probe.peers import PeerProbes
from tests.unit.plan.plans import edge_plan


async def test_silent_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "INTERVAL", 0.01)
    asked: list[tuple[str, str]] = []
    answers = asyncio.Event()
    changed = asyncio.Event()

    async def ping(address: Address, source: Address | None, timeout: float) -> float | None:
        asked.append((str(address), str(source)))
        await asyncio.sleep(0)
        return 0.001 if answers.is_set() else None

    plan = edge_plan()
    shop2 = msgspec.structs.replace(plan.peers["shop2"], on_down=OnDown.SPILL)
    probes = PeerProbes(ping, asyncio.get_running_loop().time, changed.set)
    probes.aim(plan, {"shop2": shop2})
    assert probes.silent == frozenset()  # nothing is known yet
    async with asyncio.timeout(5):
        await changed.wait()
        assert probes.silent == {"shop2"}
        changed.clear()
        answers.set()
        await changed.wait()
    assert probes.silent == frozenset()
    assert set(asked) == {("10.255.0.2", "10.255.0.1")}
    probes.aim(plan, {})
    assert probes.silent == frozenset()
    await probes.close()
