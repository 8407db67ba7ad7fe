# SPDX-License-Identifier: Apache-2.0
"""Kernel ESP through XFRM interfaces: two edges and a connector, each a machine with Debian's kernel.

With an image each is a flashed card, and what is on it; without one a plain Debian with our package.

One world for all tests, which are in this order: the last one takes an edge away.
"""

import logging
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.namespaces import Namespaces
from tests.lab.residue import differences
from tests.lab.wait import until
from tests.vm import flashed, pod
from tests.vm.card import HAS_IMAGE, IMAGE
from tests.vm.guest import guest
from tests.vm.pod import VmPod
from tests.vm.system import System
from tests.vm.world import EDGES, HUB, Box, World, build, tunnels_up, wait_for

pytestmark = pytest.mark.lab

#: ESP in UDP (RFC 3948, section 2): anything on 4500 that does not start with the non-ESP marker.
_ESP = "(udp port 4500 and udp[8:4] != 0)"
_CLEAR = "not (udp port 500 or udp port 4500)"

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def world(ground: Namespaces) -> Iterator[World]:
    if HAS_IMAGE:
        found = flashed.build(ground, IMAGE)
    else:
        found = build(ground, dict.fromkeys((HUB, *EDGES), guest("amd64")))
    try:
        for name, box in found.boxes.items():
            wait_for(box, f"{name} has a tunnel", tunnels_up, 600)
        for name in EDGES:
            # It is chosen a moment after the tunnel is up.
            wait_for(found.boxes[name], f"{name} has a hub", lambda status: status["hub"] == HUB)
        yield found
    finally:
        found.end()


@pytest.fixture(scope="module")
def pods(world: World) -> dict[str, VmPod]:
    with ThreadPoolExecutor() as workers:
        made = list(workers.map(lambda name: pod.start(world.boxes[name].machine), EDGES))
    return dict(zip(EDGES, made, strict=True))


def reach(source: VmPod, target: VmPod, seconds: float = 120) -> float:
    """Wait until every address of `target` answers; how long that took."""
    started = time.monotonic()
    for address in target.addresses:
        until(lambda a=address: source.ping(a), f"an echo from {address}", seconds, 0.5)  # type: ignore[misc]
    return time.monotonic() - started


def test_the_tunnels_are_the_kernels(world: World) -> None:
    for name in EDGES:
        box = world.boxes[name]
        status = box.status()
        assert status["ipsec"] == "kernel", status["ipsec_reason"]
        assert status["hub"] == HUB
        assert "if_id 0x1cf3" in box.machine.run("ip", "-d", "link", "show", "orillo-hub1")
        states = box.machine.run("ip", "xfrm", "state")
        assert states.count("rfc4106(gcm(aes))") >= 4, states  # two children, in and out
        assert "espinudp" in states
        assert not box.machine.call("ip", "link", "show", "ipsec0").ok
    hub = world.boxes[HUB].machine
    assert "if_id 0x1cf2" in hub.run("ip", "-d", "link", "show", "orillo-edges")


def test_pods_reach_each_other_in_both_families(world: World, pods: dict[str, VmPod]) -> None:
    one, other = pods[EDGES[0]], pods[EDGES[1]]
    log.info("pod to pod, both families, after %.1f s", reach(one, other))
    reach(other, one)
    assert world.wire.count(_ESP) > 0
    assert not world.wire.lines(_CLEAR, most=5)


def spis(machine: System) -> set[str]:
    return set(re.findall(r"spi (0x[0-9a-f]+)", machine.run("ip", "xfrm", "state")))


def ike_spis(box: Box) -> set[str]:
    """The initiator's, of each IKE SA that there is."""
    return set(re.findall(r"IKEv2, ([0-9a-f]{16})_i", box.swanctl("--list-sas")))


def test_a_rekey_loses_nothing(world: World, pods: dict[str, VmPod]) -> None:
    """Of the children and of the IKE SA, under traffic."""
    one, other = pods[EDGES[0]], pods[EDGES[1]]
    box = world.boxes[EDGES[0]]
    old, old_ike = spis(box.machine), ike_spis(box)
    target = other.addresses[0]
    box.machine.script(
        f"ip netns exec {one.name} ping -n -i 0.2 {target} >/run/stream 2>&1 & echo $! >/run/stream.pid"
    )
    box.swanctl("--rekey", "--child", "site")
    box.swanctl("--rekey", "--child", "probe")
    until(lambda: not spis(box.machine) & old, "every SPI is a new one", 60, 1)
    box.swanctl("--rekey", "--ike", HUB)
    until(lambda: len(ike_spis(box)) == 1 and not ike_spis(box) & old_ike, "a new IKE SA", 60, 1)
    reach(one, other)
    box.machine.script("kill -INT $(cat /run/stream.pid); sleep 1; cat /run/stream | tail -3")
    summary = box.machine.run("tail", "-n", "3", "/run/stream")
    found = re.search(r"(\d+) packets transmitted, (\d+) received", summary)
    assert found, summary
    sent, received = int(found[1]), int(found[2])
    log.info("rekeys of both children and the IKE SA: %d of %d echoes lost", sent - received, sent)
    # The last request may be under way.
    assert sent - received <= 1, summary


def test_a_dead_agent_costs_nothing(world: World, pods: dict[str, VmPod]) -> None:
    one, other = pods[EDGES[0]], pods[EDGES[1]]
    machine = world.boxes[EDGES[0]].machine
    machine.run("systemctl", "kill", "-s", "KILL", "orillo.service")
    assert one.ping(other.addresses[0], count=5)
    assert one.ping(other.addresses[1], count=5)


def silence(world: World, pods: dict[str, VmPod]) -> None:
    """Nothing gets there, and nothing goes out in clear."""
    one, other = pods[EDGES[0]], pods[EDGES[1]]
    for address in other.addresses:
        assert not one.ping(address, count=3, patience=1), f"{address} answers without a tunnel"
    assert not world.wire.lines(_CLEAR, most=5)


def test_without_charon_nothing_leaves_in_clear(world: World, pods: dict[str, VmPod]) -> None:
    """Stopped, it takes its SAs with it; the XFRM interface is still there, and its packets go nowhere."""
    box = world.boxes[EDGES[0]]
    box.machine.run("systemctl", "stop", "orillo-charon.service")
    assert not box.machine.run("ip", "xfrm", "state").strip()
    silence(world, pods)
    box.machine.run("systemctl", "start", "orillo-charon.service")
    log.info("charon back: traffic after %.1f s", reach(pods[EDGES[0]], pods[EDGES[1]], 240))


def test_without_security_associations_nothing_leaves_in_clear(world: World, pods: dict[str, VmPod]) -> None:
    """Someone flushed the kernel's: charon believes that all is well, and the probe does not."""
    box = world.boxes[EDGES[0]]
    box.machine.script("ip xfrm state flush; ip xfrm policy flush")
    assert not world.wire.lines(_CLEAR, most=5)
    log.info("flushed: traffic after %.1f s", reach(pods[EDGES[0]], pods[EDGES[1]], 240))
    assert not world.wire.lines(_CLEAR, most=5)


def test_without_the_interface_nothing_leaves_in_clear(world: World, pods: dict[str, VmPod]) -> None:
    """Someone removed it: it is drift, and repaired."""
    box = world.boxes[EDGES[0]]
    box.machine.run("ip", "link", "delete", "orillo-hub1")
    log.info("interface removed: traffic after %.1f s", reach(pods[EDGES[0]], pods[EDGES[1]], 240))
    assert not world.wire.lines(_CLEAR, most=5)


@pytest.mark.usefixtures("pods")
def test_purge_leaves_nothing(world: World) -> None:
    """On the machine of the second edge, which has no pod's doings but what the plug-ins made."""
    box = world.boxes[EDGES[1]]
    box.machine.run("systemctl", "stop", "orillo.service", "orillo-charon.service")
    box.machine.script("ip netns delete pod")
    box.machine.run("orillo", "purge", timeout=240)
    left = differences(world.before[EDGES[1]], box.state())
    assert not left, "\n".join(left)
    assert not box.machine.run("ip", "xfrm", "state").strip()
    assert not box.machine.run("ip", "xfrm", "policy").strip()
    assert not world.wire.lines(_CLEAR, most=5)
