# SPDX-License-Identifier: Apache-2.0
"""A community by label and in one direction, a LAN in the fabric, and a member whose tunnel is down."""

import time

from tests.lab.demo import manifests
from tests.lab.demo import topology as demo
from tests.lab.demo.check import expect, expect_no_reach, expect_reach
from tests.lab.demo.world import World
from tests.lab.wait import until

_NAME = "orders"
#: Seconds from the end of the command. `policy-change` holds the product to 3; here each look is a program.
_PROMISE = 5.0
_SPILL = 10.0  # seconds: an echo each two, then three lost in a row, and requests that wait meanwhile


def one_way(world: World) -> str:
    """shop1 may open connections to whoever has the depot's label, and only by HTTP; not the other way."""
    shop, depot = world.pods["shop1"], world.pods["depot"]
    expect(not shop.who_answers(depot.v4, patience=0.5), "shop1 reaches the depot before anybody said so")
    try:
        began = _open(world)
        until(lambda: shop.who_answers(depot.v4, patience=0.3) == "depot", "the depot answers", 9, 0.05)
        took = time.monotonic() - began
        answer = shop.who_answers(depot.v6)
        expect(answer == "depot", f"by IPv6 {answer or 'nobody'} answers")
        expect(not shop.ping(depot.v4, count=1), "an echo passes, and only HTTP was allowed")
        expect_no_reach(depot, shop)
        said = " ".join(world.operator.explain("depot", "shop1").text.split())
        expect("not the other way round" in said, f"explain does not tell of the direction: {said!r}")
    finally:
        world.operator.delete("community", _NAME)
    until(lambda: not shop.who_answers(depot.v4, patience=0.3), "it is closed again", 9, 0.05)
    expect(took <= _PROMISE, f"open only {took:.1f} s after the command's end")
    return f"shop1 → depot by HTTP {took:.1f} s after the command's end, no echo; depot ↛ shop1"


def lan_host(world: World) -> str:
    """A till in the depot's LAN, which knows no way out of it: the cloud reaches it, a stranger does not."""
    till, cloud, shop = world.till, world.pods["cloud"], world.pods["shop1"]
    answer = cloud.who_answers(demo.TILL)
    expect(answer == till.name, f"the cloud asked the till and got {answer or 'no answer'}")
    client = cloud.seen_as(demo.TILL)
    expect(client == str(demo.DEPOT_IN_LAN), f"the till sees {client}, to which it may know no way")
    expect(not shop.who_answers(demo.TILL), "shop1 reaches the till, and is in no community with the depot")
    depot = world.pods["depot"].who_answers(demo.TILL)
    expect(depot == till.name, "the depot's own pod does not reach the till")
    gateway = cloud.ping(demo.DEPOT_IN_LAN, count=1)
    expect(not gateway, "the depot itself answers at its LAN address")
    own = till.reach_out(cloud.v4, str(demo.DEPOT_IN_LAN))
    expect(
        own == "cloud", f"with a route by the depot, the till asks the cloud and gets {own or 'no answer'}"
    )
    return f"cloud → till at {demo.TILL}, seen as {client}; till → cloud; shop1 ↛ till"


def community_spill(world: World) -> str:
    """The depot answers for a service before the cloud does, as long as a tunnel leads there."""
    shop, depot, cloud = (world.pods[name] for name in ("shop1", "depot", "cloud"))
    backends = {"depot": depot.addresses, demo.WORKER: cloud.addresses}
    stock = manifests.service(backends, demo.STOCK, demo.STOCK_ADDRESSES)

    def answers(name: str) -> bool:
        return shop.who_answers(demo.STOCK_ADDRESSES[0], demo.SERVICE_PORT, patience=0.5) == name

    try:
        world.operator.apply(manifests.write(world.manifests / "stock.yaml", stock))
        _open(world)
        until(lambda: answers("depot"), "the depot answers for the service", 15, 0.1)
        world.uplink("depot").cut()
        try:
            cut = time.monotonic()
            until(lambda: answers("cloud"), "the cloud answers for the service", 2 * _SPILL, 0.1)
            spilled = time.monotonic() - cut
        finally:
            world.uplink("depot").heal()
        healed = time.monotonic()
        until(lambda: answers("depot"), "the depot answers again", 40, 0.1)
        back = time.monotonic() - healed
    finally:
        world.operator.delete("community", _NAME)
        world.operator.delete("service", demo.STOCK)
    world.wait_for_tunnels("depot", 30)
    expect_reach(cloud, depot)
    expect(spilled <= _SPILL, f"the cloud answers only {spilled:.1f} s after the cut")
    return f"depot's uplink cut: cloud answers after {spilled:.1f} s; back: depot after {back:.1f} s"


def _open(world: World) -> float:
    """Apply the community; when that was done."""
    world.operator.apply(manifests.write(world.manifests / "orders.yaml", manifests.one_way(_NAME)))
    return time.monotonic()
