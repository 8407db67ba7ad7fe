# SPDX-License-Identifier: Apache-2.0
"""Membership: what a device is told of itself, and what becomes of a trial then."""

import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from appliance.membership import Membership, Surroundings
from appliance.netcore.plan.exchange import Report
from appliance.netcore.plan.identity import Identity
from appliance.paths import Paths
from appliance.sync.store import PlanStore
from tests.unit.plan.plans import SHOP1
from tests.unit.sync.devices import document, enrolled, plan_keys


def report(identity: Identity) -> Report:
    return Report(identity=identity, agent="0", at=datetime.now(UTC), generation=0, digest="", ipsec="")


def on_trial(paths: Paths) -> Membership:
    """Plan 3 proved good, and plan 4 has just come; the hub answered until then."""
    enrolled(paths)
    store = PlanStore(paths.plans, plan_keys(), SHOP1)
    good = store.put(document(3), None)
    membership = Membership(paths, Surroundings(lambda: None, report, lambda: True))
    membership.find()
    membership._follower = cast(
        "Any", SimpleNamespace(disowned=False, contact=None, prove_contact=lambda: None)
    )
    membership._offered(store.put(document(4), good))
    assert membership.on_trial
    return membership


def test_plan_stays_on_trial_while_the_operator_knows_us(tmp_path: Path) -> None:
    membership = on_trial(Paths(tmp_path))
    assert (membership.judge(link_up=True) or 0) > time.monotonic()
    assert membership.on_trial


def test_trial_ends_when_the_operator_lets_us_go(tmp_path: Path) -> None:
    """Without its Node, what the device loses is not the plan's fault: nothing is undone, now or later."""
    membership = on_trial(Paths(tmp_path))
    cast("Any", membership._follower).disowned = True
    assert membership.judge(link_up=True) is None
    assert not membership.on_trial
    assert membership.held is not None
    assert membership.held.plan.generation == 4
