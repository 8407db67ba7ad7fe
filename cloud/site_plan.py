# SPDX-License-Identifier: Apache-2.0
"""The plan of a device that never enrolled, to be carried to it: its site runs before the cloud has seen it.

It is worked out as if the device had just enrolled, so that its prefixes, services and names are those that
it will have. Only its identity is nobody's: no certificate is ever made for it, so it opens no tunnel, and no
peer is told of it.
"""

from typing import Any

import msgspec
from msgspec.structs import replace

from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.validation import check
from appliance.netcore.plan.values import builtins
from cloud.app import App
from cloud.faults import CommandError
from cloud.planner.engine import News
from cloud.views import Nothing

#: The instance in such a plan; an enrolment's is of eight hexadecimal digits.
INSTANCE = "site"


class SitePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of `plan-site`."""

    name: str
    author: str


def make_site_plan(app: App, asked: SitePlan) -> dict[str, Any]:
    """The signed document, and the key that it is believed by at the device.

    What the device is allotted is kept for its name from now on.
    """
    name = asked.name
    if name not in app.engine().inventory.nodes:
        raise CommandError(f"there is no Node {name}: apply its manifest first")
    if app.store.devices.valid_instance(name):
        raise CommandError(
            f"{name} is enrolled and gets its plans by itself: see `orillo-cloud plan show {name}`"
        )
    with app.change(asked.author):
        pass  # what was worked out and not written yet, such as prefixes, is written
    plan = _plan(app, name, asked.author)
    return {
        "name": name,
        "generation": plan.generation,
        "document": app.plan_key.sign(plan).decode(),
        "plan_key": _key(app),
        "prefixes": builtins(plan.prefixes),
        "services": sorted(plan.services),
    }


def show_plan_key(app: App, _: Nothing) -> dict[str, Any]:
    """The public half of the key that plans are signed by."""
    return {"plan_key": _key(app)}


def _plan(app: App, name: str, author: str) -> Plan:
    """Numbered beyond all that the name ever had; nothing of it is kept here."""
    engine = app.engine()
    taken = engine.take(News(enrolments={name: app.identity(name, INSTANCE)}))
    try:
        plan = engine.plan(name, app.trust, author)
    finally:
        engine.undo(taken)
    if plan is None:
        raise CommandError(f"{name} has no prefixes yet, so there is nothing to plan: see its Node")
    before = app.head(name)
    generation = before.generation + 1 if before else 1
    numbered = replace(plan, generation=generation, issued_at=app.now().replace(microsecond=0))
    if problems := check(numbered):
        raise CommandError(f"the plan of {name} would contradict itself: {'; '.join(problems)}")
    return numbered


def _key(app: App) -> str:
    (key,) = app.plan_key.trusted.values()
    return key
