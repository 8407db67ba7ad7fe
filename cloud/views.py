# SPDX-License-Identifier: Apache-2.0
"""What the operator knows, as JSON: tokens, devices, plans, and why two of them may talk or not."""

import json
from datetime import datetime
from typing import Any

import msgspec

from appliance.netcore.plan.values import builtins
from cloud.app import App
from cloud.cluster_status import cluster_status, neighbours, reported
from cloud.faults import CommandError
from cloud.planner.explain import explain as explain_pair
from cloud.source.resources import CLUSTERS
from cloud.store.devices import StoredDevice
from cloud.store.heads import PlanHead
from cloud.store.tokens import StoredToken


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of a command that has none."""


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of a command about one device."""

    name: str


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of `explain`."""

    a: str
    b: str


def list_tokens(app: App, _: Nothing) -> dict[str, Any]:
    """Every token, without its secret, which nobody knows any more."""
    now = app.now()
    return {"tokens": [token_row(token, now) for token in app.store.tokens.all()]}


def list_devices(app: App, _: Nothing) -> dict[str, Any]:
    """Every node of the inventory and every device that ever enrolled."""
    nodes, enrolled, plans = app.inventory().nodes, app.store.devices.latest(), app.heads()
    devices = []
    for name in sorted(nodes.keys() | enrolled.keys()):
        node, device = nodes.get(name), enrolled.get(name)
        place = {"role": node.place.role, "site": node.place.site} if node else {"role": None, "site": None}
        devices.append({"name": name} | place | _device(device, plans.get(name), app.seen.get(name)))
    return {"devices": devices}


def list_clusters(app: App, _: Nothing) -> dict[str, Any]:
    """Every other cluster that there is an object for, what it said last, and how it stands."""
    objects = app.store.objects.all().items()
    manifests = {
        name: each
        for (kind, _, name), each in objects
        if kind == CLUSTERS.kind.name and each.api_version == CLUSTERS.api_version
    }
    found = []
    for known in neighbours(app, manifests, {}, reported(app)):
        status: dict[str, Any] = builtins(cluster_status(known, None, app.now()))
        said = status.pop("document") or {}
        told = {part: sorted(said.get(part, {})) for part in ("gateways", "services")}
        found.append({"name": known.name} | status | told)
    return {"clusters": found}


def show_plan(app: App, asked: Named) -> dict[str, Any]:
    """The signed plan of a device, as the device gets it."""
    offer = app.offer(asked.name)
    if offer.later:
        raise CommandError(f"the plan of {asked.name} is being made: try again in a moment")
    plan = offer.plan
    if plan is None or plan.document is None:
        raise CommandError(f"{asked.name} has no plan: {_why_no_plan(app, asked.name)}")
    document: dict[str, Any] = json.loads(plan.document)
    return document


def explain(app: App, asked: Pair) -> Any:
    """Whether `a` and `b` may talk, each way, and why."""
    now, fabric = app.engine(), app.settings.fabric
    return builtins(explain_pair(now.inventory, fabric, now.allocations, now.identities, asked.a, asked.b))


def _why_no_plan(app: App, name: str) -> str:
    if name not in app.inventory().nodes:
        return "there is no Node of that name, apply its manifest"
    return (
        f"it has not enrolled, give it a token by `orillo-cloud token create --name {name}`, "
        f"or carry it a plan by `orillo-cloud plan site {name} FILE`"
    )


def token_row(token: StoredToken, now: datetime) -> dict[str, Any]:
    """What people are told of a token."""
    state = "used" if token.used >= token.uses else "expired" if token.expires <= now else "open"
    fields = {"id": token.id, "name": token.name, "state": state}
    return (
        fields
        | {"expires": _text(token.expires), "used_at": _text(token.used_at)}
        | {
            "uses": token.uses,
            "used": token.used,
        }
    )


def _device(device: StoredDevice | None, plan: PlanHead | None, polled: datetime | None) -> dict[str, Any]:
    report = device.report if device else None
    reported = device.last_seen if device else None
    seen = max((moment for moment in (reported, polled) if moment), default=None)
    return {
        "state": "not-enrolled" if device is None else "revoked" if device.revoked_at else "enrolled",
        "instance": device.instance if device else None,
        "enrolled_at": _text(device.enrolled_at) if device else None,
        "last_seen": _text(seen),
        "generation": plan.generation if plan and not plan.withdrawn else None,
        "report": builtins(report) if report else None,
    }


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None
