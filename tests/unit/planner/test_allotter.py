# SPDX-License-Identifier: Apache-2.0
"""Allotment node by node, where all nodes come at once: as a start of the operator sees them."""

from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.planner.allocation import Allocation, AllotmentError, allot
from cloud.planner.allotter import Allotter
from cloud.planner.inventory import Inventory
from tests.unit.planner.test_allocation import SMALL, inventory
from tests.unit.planner.worlds import FABRIC, inventories


def allotted(inventory: Inventory, held: dict[str, Allocation]) -> dict[str, Allocation]:
    """What a new `Allotter` that knows what is held gives to all nodes at once."""
    allotter = Allotter(FABRIC, held)
    allotter.renew(inventory.nodes)
    return allotter.allocations


def test_a_new_node_takes_nothing_from_those_that_come_with_it() -> None:
    """Its name is before theirs, and it was made while the operator was down."""
    allotter = Allotter(SMALL, {})
    allotter.renew(inventory("shop1", "shop2").nodes)
    after = Allotter(SMALL, allotter.held)
    after.renew(inventory("late", "shop1", "shop2").nodes)
    assert {name: after.held[name] for name in ("shop1", "shop2")} == allotter.held
    assert after.held["late"].overlay == (ip_address("10.255.0.3"), ip_address("fd00:255::3"))


@settings(max_examples=50)
@given(st.lists(inventories(), min_size=1, max_size=4))
def test_the_same_as_for_all_at_once(steps: list[Inventory]) -> None:
    held: dict[str, Allocation] = {}
    for step in steps:
        try:
            now = allot(step, FABRIC, held)
        except AllotmentError:
            continue
        assert allotted(step, held) == now
        held |= now
