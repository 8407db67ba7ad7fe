# SPDX-License-Identifier: Apache-2.0
"""Who reaches whom, pod to pod, and who does not."""

from tests.lab.demo.check import expect, expect_no_reach, expect_reach
from tests.lab.demo.topology import COMMUNITY, EDGES
from tests.lab.demo.world import World


def edge_to_cloud(world: World) -> str:
    """Every edge's pod reaches the cloud's."""
    return "; ".join(expect_reach(world.pods[edge], world.pods["cloud"]) for edge in EDGES)


def cloud_to_edge(world: World) -> str:
    """The cloud's pod reaches every edge's, each of which sees its real address."""
    cloud = world.pods["cloud"]
    seen = [expect_reach(cloud, world.pods[edge]) for edge in EDGES]
    for address in world.pods["shop1"].addresses:
        client = cloud.seen_as(address)
        expect(client in map(str, cloud.addresses), f"shop1 sees the cloud's pod as {client}")
    return "; ".join(seen)


def edge_to_edge(world: World) -> str:
    """The two shops, whose LANs and whose devices' addresses are the same."""
    one, two = world.pods["shop1"], world.pods["shop2"]
    there, back = expect_reach(one, two), expect_reach(two, one)
    client = one.seen_as(two.v4)
    expect(client == str(one.v4), f"shop2 sees shop1's pod as {client}, not as {one.v4}")
    return f"{there}; {back}; both sites are 192.168.1.0/24"


def not_in_community(world: World) -> str:
    """The depot is in no community with shop1. Both answer others, so silence is refusal."""
    depot, shop = world.pods["depot"], world.pods["shop1"]
    controls = [expect_reach(world.pods["shop2"], shop), expect_reach(world.pods["cloud"], depot)]
    silence = [expect_no_reach(depot, shop), expect_no_reach(shop, depot)]
    answer = world.operator.explain("depot", "shop1")
    expect("communit" in answer.text.lower(), f"explain does not speak of a community: {answer.text!r}")
    allowed = world.operator.explain("shop2", "shop1")
    expect(COMMUNITY in allowed.text, f"explain shop2 shop1 does not name {COMMUNITY}: {allowed.text!r}")
    said = " ".join(answer.text.split())[:140]
    return f"{'; '.join(silence)}; explain: {said!r}; meanwhile {'; '.join(controls)}"
