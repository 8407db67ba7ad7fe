# SPDX-License-Identifier: Apache-2.0
"""The arm64 binary on an arm64 machine: enrolled, with a tunnel of the kernel's to an amd64 connector."""

import logging
import time
from collections.abc import Iterator

import pytest

from tests.lab.command import LabError
from tests.lab.namespaces import Namespaces
from tests.lab.wait import until
from tests.vm import pod
from tests.vm.guest import guest
from tests.vm.world import EDGES, HUB, World, build, package, tunnels_up, wait_for

pytestmark = pytest.mark.lab

_EDGE = EDGES[0]

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def world(ground: Namespaces) -> Iterator[World]:
    try:
        package("arm64")
    except LabError as error:
        pytest.skip(str(error))
    found = build(ground, {HUB: guest("amd64"), _EDGE: guest("arm64")}, inside=(_EDGE,))
    try:
        yield found
    finally:
        found.operator.stop()


def test_it_runs_with_a_tunnel_to_its_hub(world: World) -> None:
    box = world.boxes[_EDGE]
    assert box.machine.run("uname", "-m").strip() == "aarch64"
    started = time.monotonic()
    wait_for(box, "a tunnel", tunnels_up, 600)
    log.info("the arm64 machine has its tunnel after %.0f s more", time.monotonic() - started)
    status = box.status()
    assert (status["ipsec"], status["hub"], status["state"]) == ("kernel", HUB, "running")
    assert "rfc4106(gcm(aes))" in box.machine.run("ip", "xfrm", "state")
    # A pod behind it, and the hub's own overlay address as its far end.
    one = pod.start(box.machine)
    listing = world.boxes[HUB].machine.run("ip", "-o", "address", "show", "dev", "orillo0")
    targets = [word.partition("/")[0] for line in listing.splitlines() for word in line.split()[3:4]]
    for target in (t for t in targets if t.startswith(("10.255.", "fd00:255:"))):
        words = ("ip", "netns", "exec", one.name, "ping", "-n", "-q", "-c", "1", "-W", "3", target)
        until(lambda w=words: box.machine.call(*w).ok, f"an echo from {target}", 120, 1)  # type: ignore[misc]
    assert not world.wire.lines("not (udp port 500 or udp port 4500)", most=5)
