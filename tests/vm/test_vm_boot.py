# SPDX-License-Identifier: Apache-2.0
"""A machine boots, takes commands, and keeps what it wrote over a power cut."""

import logging
import time

import pytest

from tests.lab.namespaces import Namespaces
from tests.lab.topology import Host, HostRole, Topology
from tests.vm.guest import guest
from tests.vm.machine import Machine, Nic

pytestmark = pytest.mark.lab

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def net(ground: Namespaces) -> str:
    """A namespace with the bridge that the machines are plugged into."""
    ground.build(Topology((Host("inet", HostRole.ROUTER, bridges=("dc",)),), ()))
    return ground.name("inet")


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_a_power_cut_costs_nothing_that_was_synced(ground: Namespaces, net: str, architecture: str) -> None:
    nic = Nic(f"tap-{architecture}", "dc", "52:54:00:00:00:01")
    machine = Machine("box", guest(architecture), net, ground.workdir / architecture, (nic,), keeps=64)
    started = time.monotonic()
    machine.power_on()
    machine.wait()
    log.info("%s takes commands %.0f s after power on", architecture, time.monotonic() - started)
    assert machine.run("cat", "/proc/1/comm").strip() == "systemd"
    assert "eth0" in machine.run("ip", "-br", "link")
    assert machine.run("cat", feed="to and fro") == "to and fro"
    assert machine.call("false").code == 1
    machine.script("echo kept > /root/note; sync; echo lost > /dev/shm/note")
    machine.power_off()
    machine.power_on()
    machine.wait()
    assert machine.script("cat /root/note; ls /dev/shm").split() == ["kept"]
    machine.power_off()
