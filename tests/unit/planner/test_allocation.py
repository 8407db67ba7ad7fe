# SPDX-License-Identifier: Apache-2.0
"""What is held stays, and nothing is given twice."""

from ipaddress import ip_address, ip_network
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.netcore.plan.identity import Place
from appliance.netcore.plan.values import Prefix, Role
from cloud.planner.allocation import Allocation, AllotmentError, allot
from cloud.planner.fabric import Fabric, FabricError
from cloud.planner.inventory import Inventory, InventoryError, Node
from tests.unit.planner.worlds import FABRIC, inventories

SMALL = Fabric(
    cluster="lab",
    pod_pools=(ip_network("10.200.0.0/22"), ip_network("fd00:200::/62")),
    overlay_pools=(ip_network("10.255.0.0/29"), ip_network("fd00:255::/125")),
)


def inventory(*names: str, **prefixes: str) -> Inventory:
    """Edges by name; those given as keywords have a prefix of their own."""
    fixed = {name: (ip_network(text),) for name, text in prefixes.items()}
    return Inventory(
        {
            name: Node(name, Place(Role.EDGE, name), prefixes=fixed.get(name, ()))
            for name in sorted({*names, *fixed})
        }
    )


def overlapping(one: Prefix, other: Prefix) -> bool:
    """Whether the two have an address in common."""
    return one.version == other.version and one.overlaps(other)


def kept(held: dict[str, Allocation], name: str) -> set[Prefix]:
    """What a node must still have: what it was given, unless a manifest gave that to another since."""
    others = [p for other, allocation in held.items() if other != name for p in allocation.prefixes]
    return {p for p in held[name].prefixes if not any(overlapping(p, other) for other in others)}


@settings(max_examples=50)
@given(st.lists(inventories(), min_size=1, max_size=4))
def test_stable_and_disjoint_while_nodes_come_and_go(steps: list[Inventory]) -> None:
    held: dict[str, Allocation] = {}
    for step in steps:
        # A node may come with a prefix that another one was given before: that is told, and changes nothing.
        try:
            now = allot(step, FABRIC, held)
        except AllotmentError:
            assert any(node.prefixes for node in step.nodes.values())
            continue
        assert now == allot(step, FABRIC, held) == allot(step, FABRIC, now)
        for name in now.keys() & held.keys():
            assert now[name].overlay == held[name].overlay
            fixed = step.nodes[name].prefixes
            assert now[name].prefixes == fixed if fixed else kept(held, name) <= set(now[name].prefixes)
        for one, other in combinations(now.values(), 2):
            assert not any(overlapping(p, q) for p in one.prefixes for q in other.prefixes)
            assert not set(one.overlay) & set(other.overlay)
        held = {**held, **now}


def test_first_free_blocks_of_both_families() -> None:
    assert allot(inventory("a", "b"), FABRIC, {}) == {
        "a": Allocation(
            (ip_network("10.200.0.0/24"), ip_network("fd00:200::/64")),
            (ip_address("10.255.0.1"), ip_address("fd00:255::1")),
        ),
        "b": Allocation(
            (ip_network("10.200.1.0/24"), ip_network("fd00:200:0:1::/64")),
            (ip_address("10.255.0.2"), ip_address("fd00:255::2")),
        ),
    }


def test_prefix_of_a_manifest_is_respected_and_passed_over() -> None:
    made = allot(inventory("a", "b", z="10.200.0.0/23"), SMALL, {})
    assert made["z"].prefixes == (ip_network("10.200.0.0/23"),)
    assert made["a"].prefixes[0] == ip_network("10.200.2.0/24")
    assert made["b"].prefixes[0] == ip_network("10.200.3.0/24")


def test_family_that_was_added_is_filled_in() -> None:
    held = {"a": Allocation((ip_network("10.200.9.0/24"),), (ip_address("10.255.0.9"),))}
    made = allot(inventory("a"), FABRIC, held)["a"]
    assert made.prefixes == (ip_network("10.200.9.0/24"), ip_network("fd00:200::/64"))
    assert made.overlay == (ip_address("10.255.0.9"), ip_address("fd00:255::1"))


def test_what_a_gone_node_holds_is_given_out_last() -> None:
    held = allot(inventory("a"), SMALL, {})
    made = allot(inventory("b", "c", "d", "e"), SMALL, held)
    assert [made[name].prefixes[0] for name in "bcde"] == [
        ip_network(f"10.200.{block}.0/24") for block in (1, 2, 3, 0)
    ]
    assert made["e"].prefixes == held["a"].prefixes


def test_used_up_pool_is_named() -> None:
    with pytest.raises(
        AllotmentError, match=r"IPv4 pod pool 10\.200\.0\.0/22 is used up at node e: add a pool"
    ):
        allot(inventory(*"abcde"), SMALL, {})


def test_prefix_of_a_manifest_that_another_was_given_before() -> None:
    held = allot(inventory("a"), FABRIC, {})
    with pytest.raises(
        AllotmentError, match=r"10\.200\.0\.0/25 of node b overlaps 10\.200\.0\.0/24, which a was"
    ):
        allot(inventory("a", b="10.200.0.0/25"), FABRIC, held)


@pytest.mark.parametrize(
    ("prefix", "what"), [("10.96.4.0/24", "the service range"), ("10.255.0.0/24", "the overlay pool")]
)
def test_prefix_in_the_fabrics_own_ranges(prefix: str, what: str) -> None:
    with pytest.raises(InventoryError, match=f"of node a overlaps {what}"):
        allot(inventory(a=prefix), FABRIC, {})


def test_a_thousand_nodes_are_soon_done() -> None:
    made = allot(
        inventory(*(f"n{number}" for number in range(1000))),
        Fabric(cluster="lab", pod_pools=(ip_network("10.128.0.0/11"),)),
        {},
    )
    assert len({allocation.prefixes for allocation in made.values()}) == 1000


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"cluster": "Lab"}, "no DNS label"),
        (
            {"overlay_pools": (ip_network("10.200.4.0/24"),)},
            "the overlay pool 10.200.4.0/24 overlaps the pod pool",
        ),
        ({"pod_pools": (ip_network("10.200.0.0/25"),)}, "holds no block of /24"),
    ],
)
def test_settings_that_contradict_one_another(changed: dict[str, object], problem: str) -> None:
    with pytest.raises(FabricError, match=problem):
        Fabric(**{"cluster": "lab", **changed})  # type: ignore[arg-type]
