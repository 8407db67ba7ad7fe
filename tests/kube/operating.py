# SPDX-License-Identifier: Apache-2.0
"""An operator that follows the real server, and what it says there."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from appliance.netcore.plan.exchange import REPORT_PATH, Report
from appliance.netcore.plan.values import encode
from cloud.cluster import follow_cluster
from cloud.settings import Settings
from cloud.source.access import from_kubeconfig
from tests.kube.cluster import until
from tests.kube.server import OPERATOR_TOKEN, KubeServer
from tests.kube.things import DEFINITIONS, DEVICES, node
from tests.unit.endpoint.operators import Clock, Device, Operator, running

HUB = node(
    "hub1",
    "10.244.0.0/24",
    {"node-role.kubernetes.io/connector": ""},
    {"fabedge.io/node-public-addresses": "203.0.113.11"},
)


@contextmanager
def defined(kube: KubeServer, made: list[dict[str, Any]]) -> Iterator[None]:
    """The server has these custom resources, and nothing of them remains."""
    for each in made:
        kube.ask("POST", DEFINITIONS, each)
    try:
        for each in made:
            kube.kubectl("wait", "--for=condition=Established", f"crd/{each['metadata']['name']}")
            kube.kubectl("get", each["metadata"]["name"])
        yield
    finally:
        for each in made:
            kube.ask("DELETE", f"{DEFINITIONS}/{each['metadata']['name']}")


def conditions(kube: KubeServer, name: str) -> dict[str, str]:
    """What the Device object says, by the condition's type."""
    answer = kube.admin.get(f"{DEVICES}/{name}")
    status = answer.json().get("status", {}) if answer.status_code == 200 else {}
    return {each["type"]: each["status"] for each in status.get("conditions", [])}


def told(kube: KubeServer, name: str) -> str:
    """The Events of a device, as kubectl tells them."""
    return kube.kubectl("events", "--for", f"device.orillo.io/{name}", "--namespace", "default")


@asynccontextmanager
async def operating(
    kube: KubeServer, clock: Clock | None = None, wish: Settings | None = None
) -> AsyncIterator[Operator]:
    """An operator that follows the server, in a folder with a short name."""
    access = from_kubeconfig(kube.kubeconfig(OPERATOR_TOKEN))
    with tempfile.TemporaryDirectory(prefix="or-kube-") as folder:
        async with running(Path(folder), clock, wish) as operator:
            operator.app.follows = access.server
            work = asyncio.create_task(follow_cluster(operator.app, access))
            try:
                await until(lambda: _has_part(operator), "it leads, or follows one that does", 20)
                yield operator
            finally:
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work


def _has_part(operator: Operator) -> bool:
    shared = operator.app.shared
    return shared is not None and (shared.leads or bool(shared.heads))


def plan_of(operator: Operator, name: str) -> dict[str, Any]:
    """The plan that the operator keeps for a device; empty if it has none."""
    plan = operator.app.store.plans.get(name)
    return json.loads(plan.document) if plan and plan.document else {}


async def report(operator: Operator, who: Device, **fields: Any) -> None:
    """What a device says of itself, over the wire; by default that all is well with its newest plan."""
    head = operator.app.store.plans.heads()[who.identity.name]
    well = Report(who.identity, "0.1.0", datetime.now(UTC), head.generation, head.digest, "libipsec")
    said = replace(well, **fields)
    async with (
        operator.client(who) as client,
        client.post(operator.control(REPORT_PATH), data=encode(said)) as answer,
    ):
        assert answer.status == 204
