# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud migrate fabedge` on a real API server: says it, does it, and has nothing to do again."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cloud.cli.main import main
from cloud.planner.fabric import Fabric
from cloud.planner.inventory import Inventory, read_inventory
from cloud.source.resources import RESOURCES
from tests.kube.operating import HUB, defined
from tests.kube.server import ADMIN_TOKEN, KubeServer
from tests.kube.things import (
    COMMUNITIES,
    DEVICES,
    FABEDGE_CLUSTERS,
    FABEDGE_COMMUNITIES,
    NODES,
    community,
    device,
    fabedge_definitions,
    node,
)

if TYPE_CHECKING:
    from cloud.source.manifest import Manifest


def migrate(kube: KubeServer, *words: str) -> int:
    """Run the command with an administrator's rights."""
    config = str(kube.kubeconfig(ADMIN_TOKEN))
    return main(["migrate", "fabedge", "--cluster", "lab", "--kubeconfig", config, *words])


def meant(kube: KubeServer, *, fabedge: bool = True) -> Inventory:
    """What plans would be made of: of all objects, or of those that stay when FabEdge is gone."""
    manifests: dict[tuple[str, str, str], Manifest] = {}
    for resource in RESOURCES:
        answer = kube.admin.get(resource.path, params={"labelSelector": resource.selector})
        for item in answer.json().get("items", []) if answer.status_code == 200 else []:
            if not fabedge and resource.api_version.startswith("fabedge.io"):
                continue
            if not fabedge:
                annotations = item["metadata"].get("annotations", {})
                own = {name: text for name, text in annotations.items() if "fabedge.io" not in name}
                item["metadata"]["annotations"] = own
            manifest = resource.read(json.dumps(item).encode())
            manifests[manifest.key] = manifest
    return read_inventory(manifests.values(), Fabric("lab"))


def topology(inventory: Inventory) -> Any:
    """Who is where with which prefixes, and who is together with whom."""
    nodes = {name: (one.place, one.prefixes, one.dial) for name, one in inventory.nodes.items()}
    members = [frozenset(one.nodes("lab") & nodes.keys()) for one in inventory.communities.values()]
    return nodes, {together for together in members if len(together) > 1}


def fill(kube: KubeServer) -> None:
    """A cluster of FabEdge's, with some of what people have in one."""
    subnets = {"fabedge.io/subnets": "10.10.1.0/24", "fabedge.io/node-public-addresses": "198.51.100.7"}
    for each in (HUB, node("shop1", annotations=subnets), node("shop2", "10.244.2.0/24"), node("depot")):
        kube.ask("POST", NODES, each)
    kube.ask("POST", DEVICES, device("shop1", site="north"))
    theirs = {
        "shops": ["lab.shop1", "lab.shop2", "lab.connector"],
        "ours-already": ["lab.shop1", "lab.depot"],
        "connectors": ["lab.connector", "far.connector"],
        "dotted.name": ["lab.shop1", "lab.shop2"],
    }
    for name, members in theirs.items():
        kube.ask(
            "POST", FABEDGE_COMMUNITIES, community(name, *members) | {"apiVersion": "fabedge.io/v1alpha1"}
        )
    kube.ask("POST", COMMUNITIES, community("ours-already", "shop2", "depot"))
    for name in ("lab", "far"):
        body = {"apiVersion": "fabedge.io/v1alpha1", "kind": "Cluster", "metadata": {"name": name}}
        kube.ask("POST", FABEDGE_CLUSTERS, body | {"spec": {"cidrs": ["10.99.0.0/16"]}})


def test_what_is_told_is_done_and_done_once(cluster: KubeServer, capsys: pytest.CaptureFixture[str]) -> None:
    with defined(cluster, fabedge_definitions()):
        fill(cluster)
        # FabEdge takes names that ours can't have: nobody plans by them.
        cluster.ask("DELETE", f"{FABEDGE_COMMUNITIES}/dotted.name")
        before = topology(meant(cluster))
        assert migrate(cluster) == 0
        *told, last = capsys.readouterr().out.splitlines()
        assert [line.partition(":")[0].split() for line in told] == [
            ["create", "Device", "hub1"],
            ["update", "Device", "shop1"],
            ["update", "Node", "shop1"],
            ["left", "Community", "connectors"],
            ["kept", "Community", "ours-already"],
            ["create", "Community", "shops"],
            ["left", "Cluster", "far"],
        ]
        assert told[2].endswith("orillo.io/pod-prefixes: 10.10.1.0/24, from fabedge.io/subnets")
        assert told[4].endswith("one of ours is there, which counts; FabEdge's has members shop1, depot")
        assert told[5] == "create     Community shops: members shop1, shop2"
        assert last == "4 changes to make, none made yet: run it again with --apply."
        assert [each["metadata"]["name"] for each in cluster.ask("GET", COMMUNITIES)["items"]] == [
            "ours-already"
        ]

        assert migrate(cluster, "--apply") == 0
        assert (
            capsys.readouterr().out.splitlines()[-2].startswith("4 changes made. FabEdge's own objects stay")
        )
        assert topology(meant(cluster)) == before
        assert cluster.ask("GET", f"{DEVICES}/shop1")["spec"]["site"] == "north"
        assert meant(cluster, fabedge=False).nodes["shop1"].addresses == ("198.51.100.7",)
        assert topology(meant(cluster, fabedge=False)) == before

        assert migrate(cluster, "--apply", "-o", "json") == 0
        again = json.loads(capsys.readouterr().out)["steps"]
        assert {step["action"] for step in again} == {"unchanged", "kept", "left"}

        # FabEdge's changes later: what came from it follows, what is ours stays.
        cluster.ask(
            "PATCH", f"{FABEDGE_COMMUNITIES}/shops", {"spec": {"members": ["lab.shop1", "lab.depot"]}}
        )
        assert migrate(cluster, "--apply", "-o", "json") == 0
        changed = [s["name"] for s in json.loads(capsys.readouterr().out)["steps"] if s["action"] == "update"]
        assert changed == ["shops"]
        assert cluster.ask("GET", f"{COMMUNITIES}/shops")["spec"]["members"] == ["shop1", "depot"]


def test_a_name_that_ours_can_not_have_is_left(
    cluster: KubeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with defined(cluster, fabedge_definitions()):
        fill(cluster)
        assert migrate(cluster, "--apply") == 0
        assert "left       Community dotted.name: its name is no DNS label: make" in capsys.readouterr().out


def test_a_cluster_without_fabedge(cluster: KubeServer, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.ask("POST", NODES, node("shop1"))
    assert migrate(cluster, "--apply") == 0
    assert capsys.readouterr().out == "There is nothing of FabEdge's in this cluster.\n"


def test_without_settings_the_name_is_asked_for(
    cluster: KubeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(cluster.kubeconfig(ADMIN_TOKEN))
    assert main(["--root", str(tmp_path), "migrate", "fabedge", "--kubeconfig", config]) == 2
    assert "--cluster NAME, as FabEdge calls it" in capsys.readouterr().err
