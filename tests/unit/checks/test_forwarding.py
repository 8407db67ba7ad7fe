# SPDX-License-Identifier: Apache-2.0
"""Whether the kernel forwards, and whose turn it is to see to it."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from appliance.checks.box import Agent
from appliance.checks.machine import forwarding
from appliance.netcore.plan.exchange import PhaseCount
from tests.unit.plan.plans import edge_plan
from tests.unit.status.snapshots import healthy


def box(agent: Agent, value: str) -> Any:
    """As much of a device as the check looks at."""
    return SimpleNamespace(plan=edge_plan(), agent=agent, sysctl=SimpleNamespace(read=lambda _key: value))


#: Of an agent whose write of the settings failed: it never applies all of its plan.
_FAILED = replace(healthy(), tables={"sysctls": PhaseCount(failed=1, reason="read-only file system")})


@pytest.mark.parametrize(
    "agent", [Agent(True, healthy()), Agent(True, _FAILED), Agent(True, None), Agent(False, None)]
)
async def test_a_kernel_that_forwards_nothing_is_found(agent: Agent) -> None:
    assert [finding.code for finding in await forwarding(box(agent, "0"))] == ["forwarding-off"] * 2
    assert await forwarding(box(agent, "1")) == []


async def test_an_agent_that_made_no_pass_yet_is_not_blamed() -> None:
    """At each start of an image its console showed a fault for some seconds."""
    assert await forwarding(box(Agent(True, replace(healthy(), tables={})), "0")) == []
