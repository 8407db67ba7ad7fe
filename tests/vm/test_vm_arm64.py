# SPDX-License-Identifier: Apache-2.0
"""The arm64 binary on an arm64 machine: it enrols there, and the kernel's ESP takes its pod to the cloud's.

The connector is in a namespace, on the processor that is really there, with ESP in user space.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab import capture
from tests.lab.capture import Capture
from tests.lab.command import LabError
from tests.lab.namespaces import Namespaces
from tests.lab.wait import until
from tests.vm import field, pod
from tests.vm.field import ADDRESS, EDGE, HUB, NIC, SITE_GATEWAY, Field
from tests.vm.guest import guest
from tests.vm.world import Box, machine, package, set_up, tunnels_up, wait_for

pytestmark = pytest.mark.lab

#: Whose packets are nowhere on the internet in clear.
_PODS = "net 10.200.0.0/16 or net fd00:200::/48"

log = logging.getLogger(__name__)


@dataclass
class Clock:
    """Seconds from the moment that the machine was switched on."""

    started: float

    def say(self, what: str) -> None:
        log.info("%s %.0f s after power on", what, time.monotonic() - self.started)


@dataclass(frozen=True)
class Site:
    """The gateway, just enrolled and started, and the world that it is in."""

    field: Field
    box: Box
    wire: Capture
    clock: Clock


@pytest.fixture(scope="module")
def site(ground: Namespaces) -> Iterator[Site]:
    try:
        package("arm64")
    except LabError as error:
        pytest.skip(str(error))
    made = field.build(ground)
    wire = capture.start(
        made.internet, "any", ground.workdir / "wire.pcap", "net 10.200.0.0/16 or udp port 4500"
    )
    gateway = machine(ground, EDGE, guest("arm64"), NIC)
    box = Box(gateway)
    clock = Clock(time.monotonic())
    gateway.power_on()
    gateway.wait()
    clock.say("it takes commands")
    set_up(gateway, ADDRESS, SITE_GATEWAY.ip)
    box.enroll(made.operator.token(EDGE))
    clock.say("it is enrolled")
    box.start()
    yield Site(made, box, wire, clock)
    made.operator.stop()


def test_it_runs_with_a_tunnel_to_its_hub(site: Site) -> None:
    assert site.box.machine.run("uname", "-m").strip() == "aarch64"
    wait_for(site.box, "a hub", lambda status: tunnels_up(status) and status["hub"] == HUB, 1800)
    site.clock.say("its tunnel is up")
    status = site.box.status()
    assert (status["ipsec"], status["state"]) == ("kernel", "running")
    assert "if_id 0x1cf3" in site.box.machine.run("ip", "-d", "link", "show", "orillo-hub1")
    assert "rfc4106(gcm(aes))" in site.box.machine.run("ip", "xfrm", "state")


def test_its_pod_reaches_a_pod_of_the_cloud(site: Site) -> None:
    here = pod.start(site.box.machine)
    for address in site.field.pod.addresses:
        until(lambda address=address: here.ping(address), f"{address} answers", 900, 1)  # type: ignore[misc]
    site.clock.say("pods reach each other")
    assert site.wire.count("udp port 4500 and udp[8:4] != 0") > 0
    assert not site.wire.lines(_PODS, most=5)


def test_its_own_words_say_so(site: Site) -> None:
    """The commands themselves, which the emulation takes longest for. Its name cache is off: they say so."""
    status = site.box.machine.call("orillo", "status", timeout=300)
    assert (status.code, f"{HUB} *  up" in status.out) == (1, True), status.text
    doctor = site.box.machine.call("orillo", "doctor", timeout=600)
    log.info("its doctor says, with %d: %s", doctor.code, doctor.out)
    assert "unbound" in doctor.out
