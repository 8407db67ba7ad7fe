# SPDX-License-Identifier: Apache-2.0
"""What is on the wire: ESP and nothing of the inside, also while charon is dead."""

from tests.lab import capture
from tests.lab.capture import Capture
from tests.lab.command import attempt, run
from tests.lab.demo.build import inner
from tests.lab.demo.check import expect
from tests.lab.demo.checks.hubs import ESP
from tests.lab.demo.topology import CONNECTORS, NAME_SERVER, OUTSIDE, PUBLIC
from tests.lab.demo.world import World
from tests.lab.device import Daemon
from tests.lab.sites import INTERNET

#: Addresses of the fabric that no pod has: the packets that prove that a leak would be seen.
_CANARIES = ("10.200.255.254", "fd00:200:0:ffff::fffe")
_NOBODY = "02:00:00:00:00:99"
#: How many echo requests, over all streams, go out while charon is dead: some 4 s of them.
_UNANSWERED = 160


def fail_closed(world: World) -> str:
    """shop1's charon is killed while its pod goes on talking to remote ones, by both families."""
    shop, pod = world.devices["shop1"], world.pods["shop1"]
    targets = [address for name in ("shop2", "cloud") for address in world.pods[name].addresses]
    wires = _wires(world)
    streams = [world.stream(pod.name, target) for target in targets]
    for stream in streams:
        stream.wait_for_reply(5)
    inside = capture.start(pod.ns, "eth0", world.captures / "closed-pod.pcap", "icmp or icmp6")
    shop.kill(Daemon.CHARON)
    try:
        inside.wait_for(_UNANSWERED, 20)
        control = attempt("ping", "-c", "3", "-i", "0.2", str(NAME_SERVER), ns=shop.ns)
        expect(control.ok, "shop1 itself does not reach the internet, so silence on the wire proves nothing")
        for name, wire in wires.items():
            _see_no_leak(name, wire)
    finally:
        inside.stop()
        shop.start(Daemon.CHARON)
    back = max(stream.wait_for_reply(20) for stream in streams)
    lost = sum(stream.stop().lost for stream in streams)
    expect(lost >= _UNANSWERED // 2, f"only {lost} requests lost: traffic went on with charon dead")
    world.wait_for_tunnels("shop1", 20)
    return (
        f"{lost} requests to {len(targets)} remote addresses stayed at home; traffic back after {back:.1f} s"
    )


def _wires(world: World) -> dict[str, Capture]:
    router = world.namespaces.name("router-shop1")
    return {
        "uplink": capture.start(world.devices["shop1"].ns, "uplink", world.captures / "closed-uplink.pcap"),
        "WAN": capture.start(router, "wan", world.captures / "closed-wan.pcap"),
    }


def _see_no_leak(name: str, wire: Capture) -> None:
    wire.stop()
    leaks = wire.lines(inner(), most=3)
    expect(not leaks, f"inner addresses on shop1's {name}: {' | '.join(leaks)}")
    expect(wire.dropped == 0, f"the capture on shop1's {name} missed {wire.dropped} packets")
    expect(wire.count(f"icmp and host {NAME_SERVER}") > 0, f"the capture on shop1's {name} sees nothing")


def encrypted(world: World) -> str:
    """The capture at the internet, from before the first enrolment until now."""
    shops = ("shop1", "shop2")
    for shop in shops:
        expect(world.pods[shop].ping(world.pods["cloud"].v4), f"{shop} does not reach the cloud")
    _let_canaries_fly(world)
    wire = world.internet
    wire.stop()
    expect(wire.dropped == 0, f"the capture missed {wire.dropped} packets, so it proves nothing")
    pairs = {(shop, hub): _esp_between(wire, shop, hub) for shop in shops for hub in CONNECTORS}
    for shop in shops:
        expect(any(pairs[shop, hub] for hub in CONNECTORS), f"no ESP between {shop} and the connectors")
    for canary in _CANARIES:
        expect(wire.count(f"host {canary}") > 0, f"the capture did not see {canary}, so it proves nothing")
    known = " or ".join(f"host {canary}" for canary in _CANARIES)
    leaks = wire.lines(f"({inner()}) and not ({known})", most=3)
    expect(not leaks, f"inner addresses at the internet: {' | '.join(leaks)}")
    figures = ", ".join(f"{shop}/{hub} {count}" for (shop, hub), count in pairs.items())
    return f"ESP packets {figures}; inner addresses 0 (two planted packets were seen)"


def _esp_between(wire: Capture, shop: str, hub: str) -> int:
    return wire.count(f"{ESP} and host {OUTSIDE[shop]} and host {PUBLIC[hub]}")


def _let_canaries_fly(world: World) -> None:
    """Send one packet of each family to an inner address across the internet, in clear."""
    internet = world.namespaces.name(INTERNET)
    run("ip", "addr", "add", "2001:db8::1/128", "dev", "dc", "nodad", ns=internet)
    for canary in _CANARIES:
        run("ip", "route", "add", canary, "dev", "dc", ns=internet)
        run("ip", "neigh", "add", canary, "dev", "dc", "lladdr", _NOBODY, "nud", "permanent", ns=internet)
        attempt("ping", "-c", "1", "-W", "0.2", canary, ns=internet)
        run("ip", "neigh", "del", canary, "dev", "dc", ns=internet)
        run("ip", "route", "del", canary, "dev", "dc", ns=internet)
