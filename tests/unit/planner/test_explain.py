# SPDX-License-Identifier: Apache-2.0
"""May A reach B, and why."""

from hypothesis import given, settings

from cloud.planner.explain import Explanation, Reason
from cloud.planner.inventory import Inventory
from tests.unit.planner.worlds import demo, explained, inventories, plans

DENIED = "{apiVersion: orillo.io/v1alpha1, kind: Device, metadata: {name: shop1}, spec: {cloud: deny}}"
SHOPS_HTTP = """{apiVersion: orillo.io/v1alpha1, kind: Community, metadata: {name: http},
  spec: {members: [shop1, depot], ports: [{port: 80}, {protocol: UDP, port: 5000, endPort: 5010}]}}"""


def failed(explanation: Explanation) -> list[Reason]:
    """The reasons against it."""
    return [reason for reason in explanation.reasons if not reason.ok]


def test_edges_in_no_common_community() -> None:
    found = explained(demo(), "depot", "shop1")
    assert not found.allowed
    assert not found.reachable
    assert [reason.text for reason in failed(found)] == [
        "depot and shop1 share no community: depot is in none; shop1 is in community shops."
    ]
    assert failed(found)[0].remedy == "Apply a Community that has both depot and shop1 as members."


def test_edges_of_one_community() -> None:
    found = explained(demo(), "shop1", "shop2")
    assert found.allowed
    assert found.reachable
    assert found.path == "hub"
    assert found.hubs["shop2"] == ("connector-2", "connector-1")
    assert found.ports == ()
    assert "Both are in the community shops." in [reason.text for reason in found.reasons]


def test_ports_of_a_community() -> None:
    found = explained(demo(SHOPS_HTTP), "shop1", "depot")
    assert found.allowed
    assert found.ports == ("TCP 80", "UDP 5000-5010")


ONE_WAY = """{apiVersion: orillo.io/v1alpha1, kind: Community, metadata: {name: orders},
  spec: {from: {members: [shop1]}, to: {members: [depot]}, ports: [{port: 443}]}}"""


def test_direction_of_a_community() -> None:
    there, back = explained(demo(ONE_WAY), "shop1", "depot"), explained(demo(ONE_WAY), "depot", "shop1")
    assert (there.allowed, there.back) == (True, False)
    assert there.ports == ("TCP 443",)
    assert there.reasons[0].text == "The community orders lets shop1 open connections to depot."
    assert (back.allowed, back.reachable, back.back) == (False, False, True)
    assert failed(back)[0].text == (
        "The community orders lets shop1 open connections to depot, and not the other way round."
    )
    assert failed(back)[0].remedy == "Apply a Community that lets depot open connections to shop1."


def test_edge_and_cloud() -> None:
    found = explained(demo(), "worker-1", "shop1")
    assert found.reachable
    assert found.path == "hub"
    assert found.hubs.keys() == {"shop1"}


def test_cloud_denied() -> None:
    found = explained(demo(DENIED), "shop1", "worker-1")
    assert not found.allowed
    assert "shop1 says `cloud: deny`" in failed(found)[0].text
    assert "spec.cloud" in failed(found)[0].remedy


def test_allowed_but_not_enrolled() -> None:
    found = explained(demo(), "shop1", "shop2", enrolled=["shop1", "connector-1"])
    assert found.allowed
    assert not found.reachable
    assert [reason.text for reason in failed(found)] == ["shop2 is not enrolled, so nobody has it as a peer."]


def test_allowed_but_no_hub() -> None:
    found = explained(demo(), "shop1", "shop2", enrolled=["shop1", "shop2"])
    assert found.allowed
    assert not found.reachable
    assert found.path == ""
    assert failed(found)[0].remedy == "Enrol a connector that has a public address."


def test_name_that_nobody_has() -> None:
    found = explained(demo(), "shop9", "shop1")
    assert not found.allowed
    assert failed(found)[0].text == "There is no node called shop9."
    assert "connector-1, connector-2, depot" in failed(found)[0].remedy


def test_itself_and_the_clouds_own_network() -> None:
    assert explained(demo(), "shop1", "shop1").path == "local"
    assert explained(demo(), "worker-1", "connector-1").path == "underlay"


@settings(max_examples=50, deadline=None)
@given(inventories())
def test_says_what_the_plans_do(inventory: Inventory) -> None:
    """An edge and whatever it is said to reach are peers with a rule between them, and no others are."""
    made = plans(inventory)
    for name, node in inventory.nodes.items():
        for other in inventory.nodes.keys() - {name} if node.is_edge else ():
            found = explained(inventory, name, other)
            theirs = made[name].peers[other].groups if other in made[name].peers else ()
            ruled = any(
                rule.source in made[name].groups and rule.destination in theirs
                for rule in made[name].policy.values()
            )
            assert found.reachable == (ruled and bool(made[name].hubs))
            back = explained(inventory, other, name)
            assert (found.allowed, found.back) == (back.back, back.allowed)
