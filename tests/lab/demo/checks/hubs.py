# SPDX-License-Identifier: Apache-2.0
"""Two hubs: sites on different ones reach each other, and one takes over from the other."""

from tests.lab import capture
from tests.lab.demo import manifests
from tests.lab.demo.check import expect, expect_reach
from tests.lab.demo.topology import CONNECTORS, PUBLIC, UNDERLAY
from tests.lab.demo.world import World
from tests.lab.sites import INTERNET
from tests.lab.topology import End, Link
from tests.lab.wait import until

_PINGS = 10
#: The promise: traffic is back this many seconds after its hub died.
_FAILOVER = 10.0
#: ESP in UDP (RFC 3948, section 2): anything on 4500 that does not start with the non-ESP marker.
ESP = "(esp or (udp port 4500 and udp[8:4] != 0))"


def relay_across_hubs(world: World) -> str:
    """shop1 on connector 1, shop2 on connector 2: what goes between them is on both, and never in clear."""
    first, second = CONNECTORS
    hold = manifests.device("shop1", (first, second)), manifests.device("shop2", (second, first))
    world.operator.apply(manifests.write(world.manifests / "hubs.yaml", *hold))
    world.wait_for_tunnels("shop1", 50, hub=first)
    world.wait_for_tunnels("shop2", 50, hub=second)
    one, two, cloud = (world.pods[name] for name in ("shop1", "shop2", "cloud"))
    wires = {
        name: capture.start(world.namespaces.name(name), "any", world.captures / f"relay-{name}.pcap")
        for name in (INTERNET, "cloud")
    }
    reached = expect_reach(one, two)
    for address in (two.v4, two.v6):
        expect(one.ping(address, _PINGS), f"shop1 lost shop2 at {address}")
    expect(one.ping(cloud.v4), "shop1 does not reach the cloud's pod")
    for wire in wires.values():
        wire.stop()
    between = sum(wire.count(f"{ESP} and {_pair(first, second)}") for wire in wires.values())
    expect(between >= 2 * _PINGS, f"only {between} ESP packets between the connectors")
    clear = [wire.count(f"host {one.v4} and host {two.v4}") for wire in wires.values()]
    clear += [wire.count(f"host {one.v6} and host {two.v6}") for wire in wires.values()]
    expect(sum(clear) == 0, f"{sum(clear)} packets between the shops in clear")
    control = wires["cloud"].count(f"host {one.v4} and host {cloud.v4}")
    expect(control > 0, "the capture in the cloud LAN sees no inner packet at all, so it proves nothing")
    return f"{reached} by {first} and {second}: {between} ESP packets between them, none in clear"


def _pair(one: str, other: str) -> str:
    """Between two connectors, by their public or their cloud LAN addresses."""
    public = f"(host {PUBLIC[one]} and host {PUBLIC[other]})"
    lan = f"(host {UNDERLAY[one][0]} and host {UNDERLAY[other][0]})"
    return f"({public} or {lan})"


def hub_failover(world: World) -> str:
    """The connector that shop1 uses loses its power."""
    dead = world.hub_of("shop1")
    expect(dead in CONNECTORS, f"shop1 uses no connector but {dead!r}")
    streams = {name: world.stream("shop1", world.pods[name].v4) for name in ("cloud", "shop2")}
    for stream in streams.values():
        stream.wait_for_reply(5)
    try:
        _lose_power(world, dead)
        other = until(lambda: _other_hub(world, dead), "shop1 takes another connector", 2 * _FAILOVER)
        for stream in streams.values():
            stream.wait_for_reply(_FAILOVER)
    finally:
        gaps = {name: stream.stop().gap for name, stream in streams.items()}
        _get_power_back(world, dead)
    for name, gap in gaps.items():
        expect(gap <= _FAILOVER, f"{gap:.1f} s without traffic to {name} after {dead} died")
    for name in ("shop1", "shop2"):
        world.wait_for_tunnels(name, 40)
    figures = ", ".join(f"to {name} {gap:.1f} s" for name, gap in gaps.items())
    return f"{dead} died, {other} took over: longest silence {figures}; {dead} is back and stands by"


def _other_hub(world: World, dead: str) -> str:
    hub = world.hub_of("shop1")
    return "" if hub == dead else hub


def _lose_power(world: World, connector: str) -> None:
    """Its daemons end without a word, and its cables go dead at the other end."""
    for link in world.topology.links_of(connector):
        world.namespaces.unplug(_far_end(link, connector))
    world.devices[connector].kill()


def _get_power_back(world: World, connector: str) -> None:
    for link in world.topology.links_of(connector):
        world.namespaces.plug_in(_far_end(link, connector))
    world.devices[connector].start()


def _far_end(link: Link, host: str) -> End:
    return link.b if link.a.host == host else link.a
