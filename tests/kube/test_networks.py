# SPDX-License-Identifier: Apache-2.0
"""Other network programs' objects on a real API server: FabEdge's, Calico's, and annotations by hand."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud.replicas.ledger import LEDGERS
from cloud.source import follower
from tests.kube.cluster import until
from tests.kube.operating import HUB, conditions, defined, operating, plan_of
from tests.kube.server import KubeServer
from tests.kube.things import (
    BLOCKS,
    COMMUNITIES,
    DEVICES,
    FABEDGE_CLUSTERS,
    FABEDGE_COMMUNITIES,
    NODES,
    POOLS,
    calico_definitions,
    community,
    device,
    fabedge_definitions,
    ip_pool,
    ipam_block,
    node,
)
from tests.unit.endpoint.operators import Operator, enroll

ALLOTTED = "orillo.io/allotted-prefixes"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds that come later are looked for more often."""
    monkeypatch.setattr(follower, "_ABSENT_PAUSE", 0.2)


def topology(operator: Operator, name: str) -> dict[str, Any]:
    """Whom a device is told of, and what may pass between them."""
    plan = plan_of(operator, name)
    return {field: plan[field] for field in ("prefixes", "peers", "policy", "groups", "fabric")}


async def test_fabedges_own_objects_plan_the_same(cluster: KubeServer, tmp_path: Path) -> None:
    """A FabEdge cluster as it stands, with Calico: annotated Nodes, a Community, and another Cluster."""
    subnets = {"shop1": "10.10.1.0/24", "shop2": "10.10.2.0/24,fd00:10:2::/64"}
    for name, text in subnets.items():
        annotations = {"fabedge.io/subnets": text, "fabedge.io/name": f"lab.{name}"}
        cluster.ask("POST", NODES, node(name, annotations=annotations))
    cluster.ask("POST", NODES, HUB)
    names = ("hub1", "shop1", "shop2")
    async with operating(cluster) as operator:
        await until(lambda: len(operator.app.inventory().nodes) == 3, "nodes are seen")
        for name in names:
            await enroll(operator, tmp_path, name)
        alone = {name: topology(operator, name) for name in names}
        with defined(cluster, fabedge_definitions()):
            theirs = community("shops", "lab.shop1", "lab.shop2", "lab.connector")
            cluster.ask("POST", FABEDGE_COMMUNITIES, theirs | {"apiVersion": "fabedge.io/v1alpha1"})
            far = {"name": "far.connector", "subnets": ["10.77.0.0/16"], "type": "Connector"}
            spec = {"cidrs": ["10.96.0.0/12", "10.78.0.0/16"], "endpoints": [far], "token": "x"}
            body = {"apiVersion": "fabedge.io/v1alpha1", "kind": "Cluster", "metadata": {"name": "far"}}
            cluster.ask("POST", FABEDGE_CLUSTERS, body | {"spec": spec})
            await until(lambda: operator.app.inventory().clusters, "its Cluster is read")
            await until(lambda: "shop2" in topology(operator, "shop1")["peers"], "its Community is planned")
            fabedge = {name: topology(operator, name) for name in names}
            warnings = operator.app.inventory().warnings
            assert {"10.77.0.0/16", "10.78.0.0/16"} <= set(fabedge["shop1"]["fabric"])  # never in clear
            assert any("10.96.0.0/12, which overlaps the service range" in text for text in warnings)
            cluster.ask("DELETE", f"{FABEDGE_CLUSTERS}/far")
            await until(lambda: not operator.app.inventory().clusters, "it is gone")
            for name in names:
                fabedge[name]["fabric"] = topology(operator, name)["fabric"]
        await until(lambda: {n: topology(operator, n) for n in names} == alone, "it went with its definition")

        # The same in objects of ours, and with no annotation of FabEdge's.
        for name, text in subnets.items():
            ours = {"orillo.io/pod-prefixes": text, "fabedge.io/subnets": None, "fabedge.io/name": None}
            cluster.ask("PATCH", f"{NODES}/{name}", {"metadata": {"annotations": ours}})
        gone = {"fabedge.io/node-public-addresses": None}
        cluster.ask("PATCH", f"{NODES}/hub1", {"metadata": {"annotations": gone}})
        dial = {"spec": {"publicAddresses": ["203.0.113.11"]}}
        await until(lambda: cluster.admin.get(f"{DEVICES}/hub1").status_code == 200, "hub1 has a Device")
        cluster.ask("PATCH", f"{DEVICES}/hub1", dial)
        cluster.ask("POST", COMMUNITIES, community("shops", "shop1", "shop2"))
        await until(lambda: {n: topology(operator, n) for n in names} == fabedge, "our objects plan the same")
        assert fabedge["shop1"]["prefixes"] == ["10.10.1.0/24"]
        assert fabedge["shop1"]["peers"]["hub1"]["addresses"] == ["203.0.113.11"]
        assert fabedge["shop1"]["peers"]["shop2"]["prefixes"] == ["10.10.2.0/24", "fd00:10:2::/64"]


async def test_nodes_without_pod_prefixes_are_given_ours(cluster: KubeServer, tmp_path: Path) -> None:
    """And the Node remembers them, so that an operator that has lost its Ledgers gives the same."""
    cluster.ask("POST", NODES, HUB)
    cluster.ask("POST", NODES, node("shop1"))
    cluster.ask("POST", NODES, node("shop2", "10.244.2.0/24"))

    def written(name: str) -> str:
        annotations = cluster.ask("GET", f"{NODES}/{name}")["metadata"].get("annotations", {})
        return str(annotations.get(ALLOTTED, ""))

    async with operating(cluster) as operator:
        await until(lambda: written("shop1"), "the result is in the annotation")
        given = [str(prefix) for prefix in operator.app.situation().allocations["shop1"].prefixes]
        assert written("shop1") == ",".join(given)
        assert given[0].startswith("10.200.")
        assert written("shop2") == written("hub1") == ""  # the cluster allotted those itself
    cluster.ask("DELETE", LEDGERS.path)
    wish = "10.200.42.0/24,fd00:200:0:42::/64"
    cluster.ask("PATCH", f"{NODES}/shop1", {"metadata": {"annotations": {ALLOTTED: wish}}})
    async with operating(cluster) as operator:
        await enroll(operator, tmp_path, "shop1")
        await until(lambda: plan_of(operator, "shop1"), "it is planned")
        assert plan_of(operator, "shop1")["prefixes"] == wish.split(",")


async def test_prefixes_that_clash_are_refused_by_both_names(cluster: KubeServer) -> None:
    cluster.ask("POST", NODES, HUB)
    cluster.ask("POST", NODES, node("shop1", "10.244.1.0/24"))
    async with operating(cluster) as operator:
        await until(lambda: len(operator.app.inventory().nodes) == 2, "nodes are seen")
        by_hand = {"orillo.io/pod-prefixes": "10.244.1.128/25"}
        cluster.ask("POST", NODES, node("shop2", annotations=by_hand))
        cluster.ask("POST", NODES, node("shop3", annotations={"orillo.io/pod-prefixes": "10.1.2.3/24"}))
        cluster.ask("POST", DEVICES, device("shop1", lan=["10.244.0.0/25"]))

        def told(name: str) -> str:
            about = f"involvedObject.name={name}"
            return cluster.kubectl("get", "events", "-n", "default", "--field-selector", about, "-o", "wide")

        await until(lambda: "node shop1" in told("shop2"), "shop2's Event names shop1")
        await until(lambda: "'10.1.2.3/24' in its annotation" in told("shop3"), "shop3's Event says why")
        await until(lambda: conditions(cluster, "shop1").get("Planned") == "False", "shop1's Device says it")
        said = cluster.kubectl("get", "device", "shop1", "-o", "jsonpath={.status.message}")
        assert said.startswith(
            "LAN 10.244.0.0/25 of device shop1 overlaps podCIDR 10.244.0.0/24 of node hub1: "
        )
        cluster.ask("PATCH", f"{DEVICES}/shop1", {"spec": {"lan": ["172.20.1.1/24"]}})
        await until(
            lambda: (
                "172.20.1.1/24 has host bits set"
                in cluster.ask("GET", f"{DEVICES}/shop1")["status"]["message"]
            ),
            "what can't be read is told too",
        )
        cluster.ask("PATCH", f"{DEVICES}/shop1", {"spec": {"lan": ["172.20.1.0/24"]}})
        await until(
            lambda: "Refused" not in str(cluster.ask("GET", f"{DEVICES}/shop1")["status"]), "corrected"
        )
        assert operator.app.inventory().nodes["shop1"].lan


async def test_calico(cluster: KubeServer, tmp_path: Path) -> None:
    """Blocks are the cloud's prefixes, edges have ours, and remote prefixes are in disabled pools."""
    worker = node("worker-1", "10.244.9.0/24", labels={})  # a podCIDR that Calico does not look at
    hub = node("hub1", "", HUB["metadata"]["labels"], HUB["metadata"]["annotations"])
    for each in (hub, worker, node("shop1", "10.244.8.0/24")):
        cluster.ask("POST", NODES, each)
    with defined(cluster, calico_definitions()):
        cluster.ask("POST", POOLS, ip_pool("default", "10.244.0.0/16"))
        cluster.ask("POST", POOLS, ip_pool("default6", "fd00:244::/48"))
        cluster.ask("POST", BLOCKS, ipam_block("a", "10.244.33.64/26", "worker-1"))
        cluster.ask("POST", BLOCKS, ipam_block("b", "fd00:244::4c0/122", "worker-1"))

        def pools() -> dict[str, dict[str, Any]]:
            items = cluster.ask("GET", POOLS)["items"]
            return {
                each["spec"]["cidr"]: each["spec"] for each in items if "orillo" in each["metadata"]["name"]
            }

        async with operating(cluster) as operator:
            await until(lambda: len(operator.app.inventory().nodes) == 3, "nodes are seen")
            for name in ("hub1", "worker-1", "shop1"):
                await enroll(operator, tmp_path, name)
            blocks = ["10.244.33.64/26", "fd00:244::4c0/122"]
            await until(
                lambda: plan_of(operator, "shop1")["peers"]["worker-1"]["prefixes"] == blocks,
                "blocks are read",
            )
            assert plan_of(operator, "worker-1")["cni"] is None
            assert plan_of(operator, "hub1")["prefixes"] == []  # no pod there yet, and none of ours either
            assert plan_of(operator, "shop1")["prefixes"][0].startswith("10.200.")
            own = {"10.200.0.0/16", "10.255.0.0/16", "fd00:200::/48", "fd00:255::/64"}
            await until(lambda: pools().keys() == own, "pools for what is remote")
            for spec in pools().values():
                assert (spec["disabled"], spec["natOutgoing"]) == (True, False)
                assert (spec["ipipMode"], spec["vxlanMode"]) == ("Never", "Never")
                assert spec["blockSize"] == (122 if ":" in spec["cidr"] else 26)
            # A LAN is remote too; a pool that somebody changed or took away comes back, one too many goes.
            cluster.kubectl("apply", "-f", "-", text=lan_of("shop1", "172.20.1.0/28"))
            await until(lambda: "172.20.1.0/28" in pools(), "the LAN's pool")
            assert pools()["172.20.1.0/28"]["blockSize"] == 28
            cluster.ask("DELETE", f"{POOLS}/orillo-10-200-0-0-16")
            cluster.ask("PATCH", f"{POOLS}/orillo-10-255-0-0-16", {"spec": {"natOutgoing": True}})
            cluster.kubectl("apply", "-f", "-", text=lan_of("shop1", "172.20.2.0/24"))
            await until(
                lambda: (
                    pools().keys() == own | {"172.20.2.0/24"}
                    and not any(spec["natOutgoing"] for spec in pools().values())
                ),
                "pools are kept",
            )
            # A new block of a known node counts at once.
            cluster.ask("POST", BLOCKS, ipam_block("c", "10.244.34.0/26", "worker-1"))
            await until(
                lambda: "10.244.34.0/26" in plan_of(operator, "shop1")["peers"]["worker-1"]["prefixes"],
                "block",
            )
            cluster.ask("POST", POOLS, ip_pool("clash", "10.200.0.0/14"))
            await until(
                lambda: (
                    "overlaps the pod pool 10.200.0.0/16" in cluster.kubectl("get", "events", "-o", "wide")
                ),
                "a pool that clashes is told by both names",
            )


def lan_of(name: str, prefix: str) -> str:
    """A Device with this LAN, as YAML."""
    return yaml.safe_dump(device(name, lan=[prefix]))
