# SPDX-License-Identifier: Apache-2.0
"""The operator on a real API server: objects in, plans out, devices' states back."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from appliance.netcore.plan.exchange import PhaseCount, TunnelState
from cloud.cluster import follow_cluster
from cloud.faults import CommandError
from cloud.intent import Apply, File, apply
from cloud.source.access import from_kubeconfig
from tests.kube.cluster import until
from tests.kube.operating import HUB, conditions, operating, plan_of, report, told
from tests.kube.server import OPERATOR_TOKEN, KubeServer
from tests.kube.things import CLUSTERS, COMMUNITIES, DEVICES, NODES, community, device, node
from tests.unit.endpoint.operators import enroll

ONE_WAY = {"from": {"members": ["a"]}, "to": {"members": ["b"]}}


def spec(**fields: Any) -> dict[str, Any]:
    """A Community with this spec."""
    return {**community("shops"), "spec": fields}


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
        (COMMUNITIES, spec(), "it names nobody"),
        (COMMUNITIES, spec(**{"from": {"members": ["a"]}}), "from and to go together"),
        (COMMUNITIES, spec(**{"from": {}, "to": {"members": ["a"]}}), "give members, a selector, or both"),
        (COMMUNITIES, spec(members=["c"], **ONE_WAY), "give the one or the other"),
        (COMMUNITIES, spec(selector={}), "would take every node"),
        (COMMUNITIES, spec(selector={"matchExpressions": [{"key": "a", "operator": "In"}]}), "In and NotIn"),
        (COMMUNITIES, spec(selector={"matchExpressions": [{"key": "a", "operator": "Has"}]}), "Unsupported"),
        (COMMUNITIES, spec(members=[], onTunnelDown="leak"), "spec.onTunnelDown"),
        (DEVICES, device("shop1", uplink="pigeon"), "spec.uplink"),
        (DEVICES, device("shop1", lan=["192.168.1.0"]), "spec.lan[0]"),
        (COMMUNITIES, {**community("shops"), "spec": {"members": [], "ports": [{"endPort": 2}]}}, "endPort"),
        (COMMUNITIES, {**community("shops"), "spec": {"members": [], "ports": [{"port": 0}]}}, "port"),
        (COMMUNITIES, {**community("shops"), "spec": {"members": [], "ports": [{"protocol": "x"}]}}, "none"),
        (DEVICES, device("shop1", role="boss"), "spec.role"),
        (CLUSTERS, {**community("west"), "kind": "Cluster", "spec": {"caPin": "0a"}}, "spec.caPin"),
        (CLUSTERS, {**community("we.st"), "kind": "Cluster", "spec": {}}, "DNS label"),
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
