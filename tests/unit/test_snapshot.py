# SPDX-License-Identifier: Apache-2.0
"""What the daemon tells of itself."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from appliance.netcore.desired.facts import Facts, Ipsec
from appliance.netcore.plan.exchange import PhaseCount, TunnelState
from appliance.netcore.plan.values import Address, Role, Tier
from appliance.netcore.plan.values import Path as Path_
from appliance.netcore.reconcile.drift import Drift
from appliance.netcore.spec import Capability
from appliance.netcore.tunnel import ChildSa, Health, IkeSa, Reach
from appliance.snapshot import Known, news, report, snapshot
from appliance.status.model import Control, State
from appliance.sync.store import Held
from tests.unit.plan.plans import SHOP1, edge_plan

AT = datetime(2026, 1, 2, tzinfo=UTC)
HELD = Held(edge_plan(), "ab" * 32, Path("a.json"))


def running() -> Known:
    """shop1 with its tunnel to connector-1 up, and the one to connector-2 down."""
    child = ChildSa(name="site", id="3", state="INSTALLED", bytes_in=10, bytes_out=20)
    return Known(
        identity=SHOP1,
        held=HELD,
        control=Control(url="https://203.0.113.10", connected=True, refused="generation 2 is older"),
        capability=Capability(Ipsec.LIBIPSEC, "no ESP"),
        facts=Facts(ipsec=Ipsec.LIBIPSEC, hub="connector-1"),
        sas=(IkeSa(name="connector-1", id="1", state="ESTABLISHED", age=7, children=(child,)),),
        reach={"connector-1": Reach(Health.ALIVE, 0.0, 0.02, 0.01)},
        tunnels={
            "connector-1": TunnelState(up=True, chosen=True, rtt=0.02),
            "connector-2": TunnelState(up=False, reason="no IKE SA"),
        },
        tables={"routes": PhaseCount(applied=4)},
    )


def test_device_with_nothing_is_unenrolled() -> None:
    seen = snapshot(Known(), AT)
    assert (seen.state, seen.identity, seen.generation, seen.tunnels) == (State.UNENROLLED, None, 0, {})


def test_enrolled_device_waits_for_its_plan() -> None:
    assert snapshot(Known(identity=SHOP1), AT).state is State.NO_PLAN


def test_running_device_shows_plan_and_tunnels() -> None:
    seen = snapshot(running(), AT)
    assert (seen.state, seen.role, seen.generation, seen.hub) == (State.RUNNING, Role.EDGE, 3, "connector-1")
    assert (seen.ipsec, seen.ipsec_reason) == ("libipsec", "no ESP")
    up, down = seen.tunnels["connector-1"], seen.tunnels["connector-2"]
    assert (up.up, up.chosen, up.rtt, up.loss, up.established) == (True, True, 0.02, 0.01, 7.0)
    assert (up.bytes_in, up.bytes_out) == (10, 20)
    assert (down.up, down.reason, down.established) == (False, "no IKE SA", None)
    assert (up.path, down.path, down.children) == (Path_.HUB, Path_.HUB, ())
    assert [(child.name, child.state, child.bytes_in) for child in up.children] == [("site", "installed", 10)]


def test_what_was_applied_and_when_stands_beside_what_is_in_force() -> None:
    seen = snapshot(replace(running(), applied=2, applied_at=AT, on_trial=True), AT)
    assert (seen.generation, seen.applied, seen.applied_at, seen.on_trial) == (3, 2, AT, True)


def test_service_says_who_answers_now() -> None:
    near = snapshot(running(), AT).services["default/web:http"]
    assert near.tier is Tier.NODE
    assert {backend.node: backend.used for backend in near.backends} == {"shop1": True, "worker-1": False}
    far = snapshot(_with_dead(frozenset({(ip_address("10.200.1.5"), 8080)})), AT).services["default/web:http"]
    assert far.tier is Tier.CLOUD
    assert {backend.node: (backend.alive, backend.used) for backend in far.backends} == {
        "shop1": (False, False),
        "worker-1": (True, True),
    }


def _with_dead(dead: frozenset[tuple[Address, int]]) -> Known:
    known = running()
    return Known(identity=known.identity, held=known.held, facts=Facts(dead=dead))


def test_report_names_the_plan_in_force_and_the_one_refused() -> None:
    told = report(running(), SHOP1, AT)
    assert (told.generation, told.digest, told.refused) == (3, HELD.digest, "generation 2 is older")
    assert told.tunnels["connector-2"].reason == "no IKE SA"
    assert told.tables == {"routes": PhaseCount(applied=4)}


def test_repair_is_news_for_status_and_operator() -> None:
    """Although the tables stand as they did before it."""
    before = Known()
    repaired = replace(
        before, drift={"routes": Drift(2, 1, datetime(2026, 1, 1, tzinfo=UTC), ("10.0.0.0/8",))}
    )
    assert news(repaired, before)
    assert not news(repaired, replace(repaired))
    assert report(repaired, SHOP1, datetime(2026, 1, 1, tzinfo=UTC)).drift == {"routes": 2}
