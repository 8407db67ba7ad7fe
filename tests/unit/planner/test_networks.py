# SPDX-License-Identifier: Apache-2.0
"""Prefixes as other network programs have them. On a real API server: tests/kube/test_networks.py."""

from ipaddress import ip_network

import pytest

from appliance.netcore.plan.values import Prefix
from cloud.planner.allocation import Allocation, allot
from cloud.planner.fabric import Fabric
from cloud.planner.inventory import Inventory, InventoryError, read_inventory
from cloud.planner.networks import kept_pools
from cloud.source.manifests import read_text

FABRIC = Fabric("lab")
NODE = """
---
apiVersion: v1
kind: Node
metadata:
  name: %s
  labels: {node-role.kubernetes.io/%s: ""}
  annotations: {%s}
spec: {podCIDRs: [10.244.1.0/24]}
"""
BLOCK = """
---
apiVersion: crd.projectcalico.org/v1
kind: IPAMBlock
metadata: {name: "%s"}
spec: {cidr: %s, affinity: "%s", deleted: %s}
"""
POOL = """
---
apiVersion: crd.projectcalico.org/v1
kind: IPPool
metadata: {name: "%s", labels: {%s}}
spec: {cidr: %s}
"""
CLUSTER = """
---
apiVersion: fabedge.io/v1alpha1
kind: Cluster
metadata: {name: %s}
spec: {cidrs: [%s], endpoints: [{name: far.edge1, subnets: [10.99.1.0/24]}]}
"""


def read(*texts: str) -> Inventory:
    return read_inventory(read_text("".join(texts)), FABRIC)


def nets(*texts: str) -> tuple[Prefix, ...]:
    return tuple(map(ip_network, texts))


@pytest.mark.parametrize(
    ("role", "annotations", "extra", "prefixes"),
    [
        ("edge", "", "", nets("10.244.1.0/24")),
        (
            "edge",
            'fabedge.io/subnets: "10.10.1.0/24, fd00:10::/64"',
            "",
            nets("10.10.1.0/24", "fd00:10::/64"),
        ),
        (
            "edge",
            "fabedge.io/subnets: 10.10.1.0/24, orillo.io/pod-prefixes: 10.11.1.0/24",
            "",
            nets("10.11.1.0/24"),
        ),
        # With Calico, podCIDRs say nothing: blocks do, in the cloud.
        ("edge", "", BLOCK % ("a", "10.1.0.0/26", "host:a", "false"), ()),
        ("cloud", "", BLOCK % ("a", "10.1.0.0/26", "host:a", "false"), nets("10.1.0.0/26")),
        ("cloud", "", BLOCK % ("a", "10.1.0.0/26", "host:a", "true"), ()),
        ("cloud", "", BLOCK % ("a", "10.1.0.0/26", "host:b", "false"), ()),
        ("cloud", "", BLOCK % ("a", "10.1.0.0/26", "virtual:x", "false"), ()),
        (
            "cloud",
            "orillo.io/pod-prefixes: 10.2.0.0/24",
            POOL % ("p", "", "10.1.0.0/16"),
            nets("10.2.0.0/24"),
        ),
    ],
)
def test_who_says_what_a_nodes_prefixes_are(
    role: str, annotations: str, extra: str, prefixes: tuple[Prefix, ...]
) -> None:
    assert read(NODE % ("a", role, annotations), extra).nodes["a"].prefixes == prefixes


def test_a_node_of_calicos_is_given_nothing_of_ours() -> None:
    inventory = read(NODE % ("a", "cloud", ""), NODE % ("b", "edge", ""), POOL % ("p", "", "10.1.0.0/16"))
    allotted = allot(inventory, FABRIC, {})
    assert allotted["a"].prefixes == ()
    assert [prefix.version for prefix in allotted["b"].prefixes] == [4, 6]


def test_what_a_node_remembers_is_a_wish() -> None:
    """It counts where the store knows nothing, and where it can have been ours."""
    wishes = "orillo.io/allotted-prefixes: '10.200.7.0/24,10.200.8.0/25,10.9.0.0/24'"
    bare = NODE.replace("spec: {podCIDRs: [10.244.1.0/24]}\n", "")
    inventory = read(bare % ("a", "edge", wishes))
    assert allot(inventory, FABRIC, {})["a"].prefixes[0] == ip_network("10.200.7.0/24")
    held = {"a": Allocation(nets("10.200.3.0/24"))}
    assert allot(inventory, FABRIC, held)["a"].prefixes[0] == ip_network("10.200.3.0/24")


def test_nonsense_in_an_annotation() -> None:
    with pytest.raises(
        InventoryError, match=r"Node a: '10.1.2.3/24' in its annotation fabedge.io/subnets is no"
    ):
        read(NODE % ("a", "edge", "fabedge.io/subnets: 10.1.2.3/24"))


def test_pools_for_what_is_remote_and_in_none_of_calicos() -> None:
    pool = POOL % ("default", "", "10.1.0.0/16")
    remote = nets("10.1.7.0/24", "10.200.3.0/24", "172.20.0.0/24")
    wanted = kept_pools(read(pool), FABRIC, remote)
    assert wanted["orillo-172-20-0-0-24"] == ip_network("172.20.0.0/24")
    assert set(map(str, wanted.values())) == {
        "10.200.0.0/16",
        "10.255.0.0/16",
        "fd00:200::/48",
        "fd00:255::/64",
        "172.20.0.0/24",
    }
    ours = POOL % ("orillo-10-200-0-0-16", 'orillo.io/managed: ""', "10.200.0.0/16")
    assert kept_pools(read(pool, ours), FABRIC, remote) == wanted
    assert kept_pools(read(ours), FABRIC, remote) == {}  # Calico is gone


def test_a_pool_of_calicos_that_clashes() -> None:
    with pytest.raises(
        InventoryError, match=r"IPPool big of Calico has 10.192.0.0/10, which overlaps the pod pool"
    ):
        read(POOL % ("big", "", "10.192.0.0/10"))


def test_clusters_of_fabedge() -> None:
    """What overlaps is left out, and nothing stops for it: every cluster has the same service range."""
    inventory = read(
        NODE % ("a", "edge", ""), CLUSTER % ("far", "10.98.0.0/16, 10.96.0.0/12, 10.244.0.0/16, x")
    )
    assert inventory.clusters == {"far": nets("10.98.0.0/16", "10.99.1.0/24")}
    told = [text for text in inventory.warnings if text.startswith("Cluster far of FabEdge has ")]
    assert any(
        "10.244.0.0/16, which overlaps node a's 10.244.1.0/24: it is left out" in text for text in told
    )
    own = read(CLUSTER % ("lab", "10.98.0.0/16"))
    assert own.clusters == {"lab": ()}
