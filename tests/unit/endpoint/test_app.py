# SPDX-License-Identifier: Apache-2.0
"""Changes: whole or not at all, told to those whom they concern, and counted only where there is news."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.signature import verify
from cloud.app import App
from cloud.ca.keys import new_ec_key
from cloud.enrolment import enroll, revoke
from cloud.faults import CommandError
from cloud.intent import Apply, File, apply
from cloud.paths import CloudPaths
from cloud.places import with_places
from cloud.planner.inventory import InventoryError
from cloud.publish import PlanningError
from cloud.source.manifest import Manifest, Spot
from cloud.source.manifests import read_manifests
from tests.unit.ca.requests import request_for
from tests.unit.endpoint.operators import COMMUNITY, NODES, Clock, new_app, new_token, small_settings


@pytest.fixture(name="clock")
def make_clock() -> Clock:
    return Clock()


@pytest.fixture(name="app")
def make_app(tmp_path: Path, clock: Clock) -> Iterator[App]:
    app = new_app(CloudPaths(tmp_path), clock)
    put(app, NODES)
    for name in ("connector-1", "shop1", "shop2"):
        bring_in(app, name)
    yield app
    app.store.close()


def put(app: App, text: str, author: str = "root@test") -> set[str]:
    """Apply; the devices with news."""
    with app.change(author) as news:
        app.store.objects.put(read_manifests([("test.yaml", text)]))
    return news


def bring_in(app: App, name: str) -> None:
    """Enrol a device."""
    token = new_token(app, name)
    enroll(app, token.id, token.secret, request_for(new_ec_key()))


def plan_of(app: App, name: str) -> Plan:
    """The plan that a device would believe."""
    stored = app.store.plans.get(name)
    assert stored
    assert stored.document
    return verify(stored.document, app.plan_key.trusted, app.identities()[name])


def test_no_news_no_number(app: App, clock: Clock) -> None:
    before = app.store.plans.all()
    clock.pass_by(timedelta(days=1))
    assert put(app, NODES, "someone-else@test") == set()
    app.refresh()
    assert app.store.plans.all() == before


def test_news_is_for_those_whom_it_concerns(app: App, clock: Clock) -> None:
    told: list[set[str]] = []
    app.changed = lambda names: told.append(set(names))
    generation = plan_of(app, "shop1").generation
    clock.pass_by(timedelta(days=1))
    put(app, COMMUNITY, "alice@test")
    plan = plan_of(app, "shop1")
    assert told[0] >= {"shop1", "shop2"}
    assert (plan.generation, plan.author) == (generation + 1, "alice@test")
    assert plan.issued_at == clock().replace(microsecond=0)


def test_refused_inventory_changes_nothing(app: App) -> None:
    objects, plans = app.store.objects.all(), app.store.plans.all()
    overlapping = NODES.replace("shop2", "depot") + "spec: {podCIDR: 10.96.0.0/24}\n"
    with pytest.raises(InventoryError):
        put(app, overlapping)
    assert app.store.objects.all() == objects
    assert app.store.plans.all() == plans


def test_plan_that_contradicts_itself_changes_nothing(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    objects, plans = app.store.objects.all(), app.store.plans.all()
    monkeypatch.setattr("cloud.publish.check", lambda _: ("the sun is cold",))
    with pytest.raises(PlanningError, match=r"the plan of .* would contradict itself: the sun is cold"):
        put(app, COMMUNITY)
    assert app.store.objects.all() == objects
    assert app.store.plans.all() == plans


def test_refresh_leaves_plans_alone_that_it_cannot_make(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plans = app.store.plans.all()

    def refuse(*_: object) -> None:
        raise InventoryError(("too strict now",))

    monkeypatch.setattr("cloud.app.Engine.take", refuse)
    app.refresh()
    assert app.store.plans.all() == plans
    assert "too strict now" in caplog.text


def test_enrolment_that_has_no_plan_leaves_the_token(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    token = new_token(app, "shop1")
    before = app.identities()
    with monkeypatch.context() as patch:
        patch.setattr("cloud.publish.check", lambda _: ("the sun is cold",))
        with pytest.raises(PlanningError):
            enroll(app, token.id, token.secret, request_for(new_ec_key()))
    assert app.identities() == before
    enroll(app, token.id, token.secret, request_for(new_ec_key()))
    assert app.identities() != before


def test_revocations_are_told_for_as_long_as_a_leaf_lives(app: App, clock: Clock) -> None:
    uri = app.identities()["shop1"].uri
    assert revoke(app, "shop1", "root@test")
    assert not revoke(app, "shop1", "root@test")
    assert app.trust.revoked == (uri,)
    clock.pass_by(timedelta(days=90))
    assert app.trust.revoked == (uri,)
    clock.pass_by(timedelta(hours=2))
    assert not app.trust.revoked


def test_prefixes_stay_while_others_come_and_go(app: App) -> None:
    prefixes = plan_of(app, "shop2").prefixes
    with app.change("root@test"):
        app.store.objects.delete([("Node", "", "shop1")])
    put(app, NODES)
    assert plan_of(app, "shop2").prefixes == prefixes


def test_pool_used_up_keeps_nothing(tmp_path: Path) -> None:
    app = new_app(CloudPaths(tmp_path / "small"), wish=small_settings())
    with pytest.raises(CommandError, match=r"nodes\.yaml, document \d: the IPv4 pod pool .* is used up"):
        apply(app, Apply((File("nodes.yaml", NODES),), "root@test"))
    assert app.store.objects.all() == {}
    app.store.close()


def test_problems_find_their_files() -> None:
    node = Manifest("v1", "Node", "", "shop1", {})
    community = Manifest("orillo.io/v1alpha1", "Community", "", "shop1", {})
    service = Manifest("v1", "Service", "default", "web", {})
    placed = [(Spot("a.yaml", 1), node), (Spot("b.yaml", 2), community), (Spot("c.yaml", 3), service)]
    assert with_places("podCIDR of node shop1 overlaps.", placed).startswith("a.yaml, document 1: podCIDR")
    assert with_places("services default/web and default/db clash", placed).startswith("c.yaml, document 3: ")
    assert with_places("node shop10 is odd", placed) == "node shop10 is odd"
