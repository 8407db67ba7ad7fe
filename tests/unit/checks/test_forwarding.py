# SPDX-License-Identifier: Apache-2.0
"""Whether the kernel forwards, and whose turn it is to see to it."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from appliance.checks.box import Agent
from appliance.checks.machine import forwarding
from appliance.status.model import Snapshot
from tests.unit.plan.plans import edge_plan
from tests.unit.status.snapshots import healthy


def box(agent: Agent, value: str) -> Any:
    """As much of a device as the check looks at."""
    return SimpleNamespace(plan=edge_plan(), agent=agent, sysctl=SimpleNamespace(read=lambda _key: value))


def applied(generation: int) -> Snapshot:
    return replace(healthy(), applied=generation)


@pytest.mark.parametrize("agent", [Agent(True, applied(7)), Agent(True, None), Agent(False, None)])
async def test_a_kernel_that_forwards_nothing_is_found(agent: Agent) -> None:
    assert [finding.code for finding in await forwarding(box(agent, "0"))] == ["forwarding-off"] * 2
    assert await forwarding(box(agent, "1")) == []


async def test_an_agent_that_applied_nothing_yet_is_not_blamed() -> None:
    """At each start of an image its console showed a fault for some seconds."""
    assert await forwarding(box(Agent(True, applied(0)), "0")) == []
