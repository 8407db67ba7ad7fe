# SPDX-License-Identifier: Apache-2.0
"""The operator on a real API server: objects in, plans out, devices' states back."""

import asyncio
import json
import logging
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from appliance.netcore.plan.exchange import REPORT_PATH, PhaseCount, Report, TunnelState
from appliance.netcore.plan.values import encode
from cloud.cluster import follow_cluster
from cloud.faults import CommandError
from cloud.intent import Apply, File, apply
from cloud.source import follower
from cloud.source.access import from_kubeconfig
from tests.kube.cluster import until
from tests.kube.server import OPERATOR_TOKEN, KubeServer
from tests.kube.things import (
    COMMUNITIES,
    DEFINITIONS,
    DEVICES,
    NODES,
    community,
    device,
    fabedge_definition,
    node,
)
from tests.unit.endpoint.operators import Device, Operator, enroll, running

HUB = node("hub1", "10.244.0.0/24", {"node-role.kubernetes.io/connector": ""})
HUB["metadata"]["annotations"] = {"fabedge.io/node-public-addresses": "203.0.113.11"}


def conditions(kube: KubeServer, name: str) -> dict[str, str]:
    """What the Device object says, by the condition's type."""
    answer = kube.admin.get(f"{DEVICES}/{name}")
    status = answer.json().get("status", {}) if answer.status_code == 200 else {}
    return {each["type"]: each["status"] for each in status.get("conditions", [])}


def told(kube: KubeServer, name: str) -> str:
    """The Events of a device, as kubectl tells them."""
    return kube.kubectl("events", "--for", f"device.orillo.io/{name}", "--namespace", "default")


@asynccontextmanager
async def operating(kube: KubeServer) -> AsyncIterator[Operator]:
    """An operator that follows the server, in a folder with a short name."""
    access = from_kubeconfig(kube.kubeconfig(OPERATOR_TOKEN))
    with tempfile.TemporaryDirectory(prefix="or-kube-") as folder:
        async with running(Path(folder)) as operator:
            operator.app.follows = access.server
            work = asyncio.create_task(follow_cluster(operator.app, access))
            try:
                yield operator
            finally:
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work


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


async def test_objects_become_plans_and_states_come_back(cluster: KubeServer, tmp_path: Path) -> None:
    for each in (HUB, node("shop1", "10.244.1.0/24"), node("shop2", "10.244.2.0/24")):
        cluster.ask("POST", NODES, each)
    async with operating(cluster) as operator:
        await until(lambda: len(operator.app.inventory().nodes) == 3, "nodes are seen")
        shop1, shop2 = [await enroll(operator, tmp_path, name) for name in ("shop1", "shop2")]
        await enroll(operator, tmp_path, "hub1")
        assert plan_of(operator, "shop1")["prefixes"] == ["10.244.1.0/24"]  # as the cluster has it
        assert "shop2" not in plan_of(operator, "shop1")["peers"]

        loop = asyncio.get_running_loop()
        asked = loop.time()
        cluster.kubectl("apply", "-f", "-", text=json.dumps(community("shops", "shop1", "shop2")))
        await until(lambda: "shop2" in plan_of(operator, "shop1")["peers"], "the community is in the plan")
        assert loop.time() - asked < 3

        await report(operator, shop1, tunnels={"hub1": TunnelState(up=True, chosen=True)})
        failed = {"routes": PhaseCount(failed=1, reason="no such link")}
        await report(operator, shop2, generation=0, digest="", tables=failed)
        await until(lambda: conditions(cluster, "shop1").get("TunnelUp") == "True", "shop1's state is told")
        assert conditions(cluster, "shop1") == {
            "Planned": "True",
            "Applied": "True",
            "TunnelUp": "True",
            "Degraded": "False",
        }
        await until(lambda: conditions(cluster, "shop2").get("Degraded") == "True", "shop2's state is told")
        head, _, first, second = cluster.kubectl("get", "devices").splitlines()
        assert head.split()[:4] == ["NAME", "ROLE", "SITE", "STATE"]
        assert first.split()[:6] == ["shop1", "edge", "shop1", "enrolled", "True", "True"]
        assert "it runs by generation 0" in second
        await report(operator, shop1, tunnels={"hub1": TunnelState(up=False, reason="no echo")})
        await until(
            lambda: conditions(cluster, "shop1").get("TunnelUp") == "False", "the tunnel's end is told"
        )
        await until(lambda: "no echo" in told(cluster, "shop1"), "and is an Event")
        owner = cluster.ask("GET", f"{DEVICES}/shop1")["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["name"]) == ("Node", "shop1")


async def test_fabedges_own_objects_plan_the_same(
    cluster: KubeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its Community names members as `<cluster>.<node>`, its annotation says where a connector is dialled."""
    monkeypatch.setattr(follower, "_ABSENT_PAUSE", 0.2)
    for each in (HUB, node("shop1", "10.244.1.0/24"), node("shop2", "10.244.2.0/24")):
        cluster.ask("POST", NODES, each)
    async with operating(cluster) as operator:
        await until(lambda: len(operator.app.inventory().nodes) == 3, "nodes are seen")
        for name in ("hub1", "shop1", "shop2"):
            await enroll(operator, tmp_path, name)

        def topology() -> dict[str, Any]:
            plan = plan_of(operator, "shop1")
            return {field: plan[field] for field in ("peers", "policy", "groups")}

        alone = topology()
        cluster.ask("POST", COMMUNITIES, community("shops", "shop1", "shop2"))
        await until(lambda: topology() != alone, "our community is planned")
        ours = topology()
        cluster.ask("DELETE", f"{COMMUNITIES}/shops")
        await until(lambda: topology() == alone, "it is gone")
        cluster.ask("POST", DEFINITIONS, fabedge_definition())
        try:
            path = "/apis/fabedge.io/v1alpha1/communities"
            await until(lambda: cluster.admin.get(path).status_code == 200, "FabEdge's kind is served")
            theirs = community("shops", "lab.shop1", "lab.shop2") | {"apiVersion": "fabedge.io/v1alpha1"}
            cluster.ask("POST", path, theirs)
            await until(lambda: topology() == ours, "FabEdge's community is planned")
            assert ours["peers"]["hub1"]["addresses"] == ["203.0.113.11"]
        finally:
            cluster.ask("DELETE", f"{DEFINITIONS}/communities.fabedge.io")
        await until(lambda: topology() == alone, "it went with its definition")


async def test_one_object_that_contradicts_others_stops_nothing_else(
    cluster: KubeServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cluster.ask("POST", NODES, HUB)
    async with operating(cluster) as operator:
        await until(lambda: operator.app.inventory().nodes, "the first node is seen")
        cluster.ask("POST", NODES, node("clash", "10.244.0.0/25"))
        cluster.ask("POST", NODES, node("ip-10-0-0-1.example.internal"))
        cluster.ask("POST", NODES, node("shop1", "10.244.1.0/24"))
        await until(lambda: "shop1" in operator.app.inventory().nodes, "the good one is seen")
        assert set(operator.app.inventory().nodes) == {"hub1", "shop1"}
        assert "event=object-refused object=Node//clash" in caplog.text
        cluster.ask("DELETE", f"{NODES}/hub1")
        await until(lambda: "clash" in operator.app.inventory().nodes, "what it contradicted is gone")


async def test_a_restart_without_the_api_server_knows_the_inventory(cluster: KubeServer) -> None:
    """And nothing is forgotten because it has not been seen yet."""
    cluster.ask("POST", NODES, HUB)
    async with operating(cluster) as operator:
        await until(lambda: operator.app.inventory().nodes, "the node is seen")
        cluster.stop()
        access = from_kubeconfig(cluster.kubeconfig(OPERATOR_TOKEN))
        again = asyncio.create_task(follow_cluster(operator.app, access))
        await asyncio.sleep(0.5)  # nothing may happen
        assert set(operator.app.inventory().nodes) == {"hub1"}
        cluster.start()
        await asyncio.to_thread(cluster.wait)
        cluster.ask("POST", NODES, node("shop1"))
        await until(lambda: len(operator.app.inventory().nodes) == 2, "both nodes are seen")
        again.cancel()


async def test_manifests_are_applied_in_the_cluster(cluster: KubeServer) -> None:
    async with operating(cluster) as operator:
        with pytest.raises(CommandError, match="use kubectl there"):
            apply(operator.app, Apply((File("a.yaml", json.dumps(HUB)),), "root@test"))


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (COMMUNITIES, community("a.b", "shop1"), "DNS label"),
        (COMMUNITIES, community("shops", "Shop 1"), "spec.members"),
        (COMMUNITIES, {**community("shops"), "spec": {}}, "spec.members: Required"),
        (COMMUNITIES, {**community("shops"), "spec": {"members": [], "ports": [{"endPort": 2}]}}, "endPort"),
        (COMMUNITIES, {**community("shops"), "spec": {"members": [], "ports": [{"port": 0}]}}, "port"),
        (COMMUNITIES, {**community("shops"), "spec": {"members": [], "ports": [{"protocol": "x"}]}}, "none"),
        (DEVICES, device("shop1", role="boss"), "spec.role"),
        (DEVICES, device("shop1", cloud="maybe"), "spec.cloud"),
    ],
)
async def test_the_server_refuses_nonsense(
    cluster: KubeServer, path: str, body: dict[str, Any], message: str
) -> None:
    answer = cluster.admin.post(path, json=body)
    assert answer.status_code == 422
    assert message in answer.json()["message"]


async def test_the_operators_rights_end_where_they_should(cluster: KubeServer) -> None:
    """No Secret, no change of anybody's spec, and nothing by a wildcard."""
    for verb, what in (
        ("get", "secrets"),
        ("list", "secrets"),
        ("update", "nodes"),
        ("patch", "devices"),
        ("delete", "devices"),
        ("create", "communities"),
    ):
        assert "no" in cluster.kubectl("auth", "can-i", verb, what, "--as=operator", check=False).split(), (
            verb,
            what,
        )
