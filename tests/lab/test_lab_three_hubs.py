# SPDX-License-Identifier: Apache-2.0
"""Three connectors, real charons: sites on different ones, a translation that changes, and a hub that dies.

One world for all tests, which are in this order: the last one takes a connector away.
"""

import logging
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab import capture, nat
from tests.lab.command import attempt
from tests.lab.demo import manifests
from tests.lab.device import Daemon
from tests.lab.namespaces import Namespaces
from tests.lab.pods import Pod
from tests.lab.sites import INTERNET
from tests.lab.three_hubs import (
    CONNECTORS,
    EDGE_PAIRS,
    EDGES,
    HUB_PAIRS,
    PUBLIC,
    ThreeHubs,
    build,
    site_of,
)
from tests.lab.topology import Address
from tests.lab.wait import until

pytestmark = pytest.mark.lab

#: The promise: traffic is back after this many seconds, whatever happened to the path.
_BACK = 10.0
#: ESP in UDP (RFC 3948, section 2): anything on 4500 that does not start with the non-ESP marker.
_ESP = "(udp port 4500 and udp[8:4] != 0)"
#: A link between connectors has 50 bytes of headers more than the tunnel that it is in, which has 1400.
_RELAY_MTU = 1350
#: What a program is told of a destination that is refused, in IPv4 and in IPv6.
_REFUSED = ("No route to host", "Network is unreachable")

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def world() -> Iterator[ThreeHubs]:
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        namespaces = Namespaces(Path(directory))
        try:
            yield build(namespaces)
        finally:
            namespaces.remove()


def test_sites_on_three_connectors_reach_each_other(world: ThreeHubs) -> None:
    """Every one every other, in both families, and in ESP wherever it can be seen."""
    assert [world.hub_of(edge) for edge in EDGES] == list(CONNECTORS)
    internet = world.namespaces.name(INTERNET)
    wire = capture.start(internet, "dc", world.namespaces.workdir / "between.pcap", "udp port 4500")
    for one, other in EDGE_PAIRS:
        for address in world.pods[other].addresses:
            expect_reach(world.pods[one], other, address)
    wire.stop()
    for one, other in HUB_PAIRS:
        # Both directions of both edges in both families: at least a request and an answer of each.
        between = wire.count(f"{_ESP} and host {PUBLIC[one]} and host {PUBLIC[other]}")
        assert between >= 8, f"{between} ESP packets between {one} and {other}"


def expect_reach(pod: Pod, name: str, address: Address) -> None:
    until(lambda: pod.ping(address, count=1), f"{pod.name} gets an echo from {address} of {name}", 10)
    assert pod.who_answers(address) == name


def test_big_packets_learn_the_size_of_the_path(world: ThreeHubs) -> None:
    """What must not be cut is refused with the right size, and what fits that size gets there."""
    pod, other = world.pods["edge-1"], world.pods["edge-2"]
    for address, headers in ((other.v4, 28), (other.v6, 48)):
        refused = ping_whole(pod, address, _RELAY_MTU - headers + 1)
        assert f"mtu={_RELAY_MTU}" in refused.replace(" = ", "=").replace(": ", "="), refused
        assert " 0% packet loss" in ping_whole(pod, address, _RELAY_MTU - headers)


def ping_whole(pod: Pod, address: Address, size: int) -> str:
    """What ping says of requests of this size that may not be cut in pieces."""
    words = ("ping", "-n", "-M", "do", "-c", "3", "-i", "0.2", "-W", "2", "-s", str(size), str(address))
    return attempt(*words, ns=pod.ns).text


def test_a_changed_translation_costs_seconds(world: ThreeHubs) -> None:
    """The site's router forgets its mappings and takes other ports: to charon every SA still looks well."""
    stream = world.stream("edge-1", "edge-3")
    stream.wait_for_reply(5)
    (where,) = site_of("edge-1").nats
    nat.change_mappings(world.namespaces.name(where.host), where, 20000, 20999)
    stream.wait_for_reply(_BACK)
    tally = stream.stop()
    log.info("a translation changed: %.1f s of silence", tally.gap)
    moved = f"src host {site_of('edge-1').outside} and udp src portrange 20000-20999"
    assert world.wire.count(f"{_ESP} and {moved}") > 0, "the router took no other port"
    assert 0.5 <= tally.gap <= _BACK, f"{tally.gap:.1f} s of silence"


def test_a_connector_without_charon_says_nothing_in_clear(world: ThreeHubs) -> None:
    """Its own packets to a far site would go by another connector; the last test looks for them."""
    connector, pod = world.devices["connector-3"], world.pods["edge-2"]
    for address in pod.addresses:
        until(lambda a=address: echo(connector.ns, a), f"{address} is reached", 10)  # type: ignore[misc]
    connector.kill(Daemon.CHARON)
    assert not any(echo(connector.ns, address) for address in pod.addresses)
    connector.start(Daemon.CHARON)
    for address in pod.addresses:
        until(lambda a=address: echo(connector.ns, a), f"{address} is reached again", 20)  # type: ignore[misc]


@pytest.mark.parametrize(("way", "said"), [("refuse", _REFUSED), ("drop", ("timed out",))])
def test_while_a_tunnel_is_down_the_community_has_its_way(
    world: ThreeHubs, way: str, said: tuple[str, ...]
) -> None:
    """What leaves a site without a tunnel is answered by its own device, what goes there by a connector."""
    file = manifests.write(
        world.namespaces.workdir / "down.yaml", manifests.community(EDGES) + f"  onTunnelDown: {way}\n"
    )
    world.operator.apply(file)
    dead, living = world.pods["edge-1"], world.pods["edge-3"]
    hub = world.devices[world.hub_of("edge-3")]
    world.devices["edge-1"].kill(Daemon.CHARON)
    try:
        for pod, target, asked in ((dead, living, dead.device), (living, dead, hub)):
            for address in target.addresses:
                closed = f"{asked.name} knows no way to {address} and does {way}"
                until(lambda d=asked, a=address: verdict(d.ns, a) == way, closed, 30, 0.3)  # type: ignore[misc]
                assert any(words in pod.fetch(address, patience=1.5).err for words in said)
    finally:
        world.devices["edge-1"].start(Daemon.CHARON)
    for address in living.addresses:
        expect_reach(dead, living.name, address)


def verdict(namespace: str, address: Address) -> str:
    """What the kernel would do with a packet to this address: `refuse`, `drop`, or send it."""
    found = attempt("ip", "route", "get", str(address), ns=namespace)
    known = {**dict.fromkeys(_REFUSED, "refuse"), "Invalid argument": "drop"}
    return next((way for text, way in known.items() if text in found.err), "send")


def echo(namespace: str, address: Address) -> bool:
    return attempt("ping", "-n", "-q", "-c", "1", "-W", "1", str(address), ns=namespace).ok


def test_a_dead_connector_costs_seconds(world: ThreeHubs) -> None:
    """Its edge goes to the next one, to which the others' packets follow."""
    used = until(lambda: world.hub_of("edge-1"), "edge-1 uses a connector", 20)
    with ThreadPoolExecutor() as workers:
        streams = [world.stream("edge-1", "edge-2"), world.stream("edge-3", "edge-1")]
        list(workers.map(lambda stream: stream.wait_for_reply(5), streams))
        world.lose_power(used)
        try:
            list(workers.map(lambda stream: stream.wait_for_reply(2 * _BACK), streams))
        finally:
            gaps = [stream.stop().gap for stream in streams]
    log.info("a connector died: %.1f s of silence out of its edge, %.1f s into it", *gaps)
    assert min(gaps) >= 0.5, gaps
    assert max(gaps) <= _BACK, gaps
    # Its packets go by the new hub a moment before its status says so.
    until(lambda: world.hub_of("edge-1") not in ("", used), "edge-1 names another connector", 10)


def test_nothing_of_all_that_was_in_clear(world: ThreeHubs) -> None:
    """From the first start of a daemon on; what the internet saw are IKE and ESP."""
    world.wire.stop()
    assert world.wire.dropped == 0
    assert world.wire.count(_ESP) > 0
    clear = world.wire.lines("not (udp port 500 or udp port 4500)", most=5)
    assert not clear, "seen on the internet in clear: " + "; ".join(clear)
