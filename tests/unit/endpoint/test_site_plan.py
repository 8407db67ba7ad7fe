# SPDX-License-Identifier: Apache-2.0
"""A plan for a device that never enrolled: what it will have, believed by the key alone, told to nobody."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.signature import verify
from cloud.app import App
from cloud.enrolment import is_valid, revoke
from cloud.faults import CommandError
from cloud.paths import CloudPaths
from cloud.site_plan import INSTANCE, SitePlan, make_site_plan
from tests.unit.endpoint.operators import COMMUNITY, NODES, new_app
from tests.unit.endpoint.test_app import bring_in, plan_of, put

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}
"""


@pytest.fixture(name="app")
def make_app(tmp_path: Path) -> Iterator[App]:
    app = new_app(CloudPaths(tmp_path))
    put(app, f"{NODES}---{COMMUNITY}---{SERVICE}")
    bring_in(app, "connector-1")
    yield app
    app.store.close()


def site_plan(app: App, name: str = "shop1") -> Plan:
    """As the device reads it."""
    made = make_site_plan(app, SitePlan(name, "root@test"))
    assert app.plan_key.trusted == dict.fromkeys(app.plan_key.trusted, made["plan_key"])
    return verify(made["document"].encode(), app.plan_key.trusted, Identity("lab", name, INSTANCE))


def test_it_is_what_the_device_gets_when_it_enrols(app: App) -> None:
    carried = site_plan(app)
    bring_in(app, "shop1")
    own = plan_of(app, "shop1")
    fields = [field for field in Plan.__struct_fields__ if getattr(own, field) != getattr(carried, field)]
    assert set(fields) <= {"identity", "issued_at", "author", "generation"}
    assert carried.services.keys() == {"default/web"}
    assert "connector-1" in carried.peers


def test_nobody_is_told_of_it_and_nothing_is_kept_but_the_prefixes(app: App) -> None:
    before, plans = app.store.allocations.all(), app.store.plans.all()
    carried = site_plan(app)
    assert app.store.plans.all() == plans
    assert "shop1" not in plan_of(app, "connector-1").peers
    assert app.store.allocations.all() == before
    assert before["shop1"].prefixes == carried.prefixes


def test_a_restarted_operator_knows_what_it_has_given_away(app: App, tmp_path: Path) -> None:
    """Also if it is the first thing that is asked of it; another node that comes gets other prefixes."""
    carried = site_plan(app, "shop2")
    app.store.close()
    again = App(app.settings, type(app.store).open(CloudPaths(tmp_path).database), app.issuer, app.plan_key)
    put(again, NODES.replace("shop1", "a-shop"))
    assert again.store.allocations.all()["shop2"].prefixes == carried.prefixes
    assert site_plan(again, "a-shop").prefixes != carried.prefixes
    again.store.close()


def test_another_one_is_newer(app: App) -> None:
    """So that the device takes the second one that is carried there, also after an enrolment that ended."""
    bring_in(app, "shop1")
    last = plan_of(app, "shop1").generation
    assert revoke(app, "shop1", "root@test")
    assert site_plan(app).generation > last


def test_it_is_for_nodes_that_are_not_enrolled(app: App) -> None:
    with pytest.raises(CommandError, match="no Node nobody"):
        site_plan(app, "nobody")
    with pytest.raises(CommandError, match="connector-1 is enrolled"):
        site_plan(app, "connector-1")


def test_its_identity_is_let_in_nowhere(app: App) -> None:
    site_plan(app)
    assert not is_valid(app, Identity("lab", "shop1", INSTANCE))
