# SPDX-License-Identifier: Apache-2.0
"""A start without a plan: what the last one closed stays closed."""

from ipaddress import ip_interface
from pathlib import Path

from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.routes import routes
from appliance.netcore.reconcile.guard import Guard
from appliance.netcore.spec import RouteKind, RuleKey
from tests.fakes.netlink import FakeNetlink
from tests.unit.plan.plans import edge_plan

PLAN = edge_plan()


def kernel() -> FakeNetlink:
    """As it is after a reboot."""
    return FakeNetlink(others={"lan0": (ip_interface("192.168.1.10/24"),)})


async def test_fabric_is_closed_and_the_own_prefixes_are_not(tmp_path: Path) -> None:
    Guard(tmp_path / "guard.json").remember(routes(PLAN, Facts()))
    host = kernel()
    assert await Guard(tmp_path / "guard.json").close(host) > 0
    there = await host.routes()
    assert {r.dst for r in there.values() if r.kind is RouteKind.UNREACHABLE} >= set(PLAN.fabric)
    assert {r.dst for r in there.values() if r.kind is RouteKind.THROW} >= set(PLAN.prefixes)
    assert set(await host.rules()) == {RuleKey(4, 7410), RuleKey(6, 7410)}


async def test_agent_that_only_restarts_leaves_the_routes_of_before(tmp_path: Path) -> None:
    guard = Guard(tmp_path / "guard.json")
    guard.remember(routes(PLAN, Facts()))
    host = kernel()
    assert await guard.close(host) > 0
    before = await host.routes()
    assert await guard.close(host) == 0
    assert await host.routes() == before


async def test_device_that_never_had_a_plan_closes_nothing(tmp_path: Path) -> None:
    host = kernel()
    assert await Guard(tmp_path / "guard.json").close(host) == 0
    (tmp_path / "guard.json").write_text("damaged")
    assert await Guard(tmp_path / "guard.json").close(host) == 0
    assert not await host.rules()


def test_it_is_written_when_it_changes_only(tmp_path: Path) -> None:
    file = tmp_path / "guard.json"
    guard = Guard(file)
    guard.remember(routes(PLAN, Facts()))
    written = file.stat().st_ino
    guard.remember(routes(PLAN, Facts()))
    Guard(file).remember(routes(PLAN, Facts()))
    assert file.stat().st_ino == written
