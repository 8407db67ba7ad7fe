# SPDX-License-Identifier: Apache-2.0
"""`policy-change`: one apply lets the depot in, another one shuts it out again."""

import time
from pathlib import Path

from tests.lab.demo import manifests
from tests.lab.demo.check import expect, expect_no_reach, expect_reach
from tests.lab.demo.world import World
from tests.lab.pods import Pod
from tests.lab.wait import until

_PROMISE = 3.0  # seconds from the end of the command
_MEMBERS = ("shop1", "shop2")


def policy_change(world: World) -> str:
    """The depot and shop1, before, with and after membership."""
    depot, shop = world.pods["depot"], world.pods["shop1"]
    expect_no_reach(depot, shop)
    try:
        world.operator.apply(_community(world, *_MEMBERS, "depot"))
        joined = time.monotonic()
        until(lambda: _hears(depot, shop), "the depot reaches shop1", 3 * _PROMISE, 0.05)
        took = time.monotonic() - joined
        reached = f"{expect_reach(depot, shop)}; {expect_reach(shop, depot)}"
    finally:
        world.operator.apply(_community(world, *_MEMBERS))
    left = time.monotonic()
    until(
        lambda: not any(depot.ping(a, count=1, patience=0.3) for a in shop.addresses),
        "the depot is shut out again",
        3 * _PROMISE,
        0.05,
    )
    shut = time.monotonic() - left
    expect(took <= _PROMISE, f"reachable only {took:.1f} s after the command's end")
    return f"reachable {took:.1f} s after the command's end ({reached}); unreachable again after {shut:.1f} s"


def _community(world: World, *members: str) -> Path:
    return manifests.write(world.manifests / "community.yaml", manifests.community(members))


def _hears(source: Pod, target: Pod) -> bool:
    """Both families, one short request each."""
    return all(source.ping(address, count=1, patience=0.3) for address in target.addresses)
