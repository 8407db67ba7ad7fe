# SPDX-License-Identifier: Apache-2.0
"""The package where AppArmor is on: Debian's profiles confine charon and unbound, and ours let them work."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab.namespaces import Namespaces
from tests.lab.wait import until
from tests.vm import field
from tests.vm.field import ADDRESS, EDGE, NIC, SITE_GATEWAY, Field
from tests.vm.guest import guest
from tests.vm.machine import Machine
from tests.vm.world import VICI, Box, on_the_net, package, patience, tunnels_up, wait_for

pytestmark = pytest.mark.lab

#: The units whose processes Debian has profiles for, and the names that a profile may have.
_CONFINED = {
    "orillo-charon.service": ("charon", "/usr/lib/ipsec/charon"),
    "orillo-dns.service": ("unbound", "/usr/sbin/unbound"),
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Site:
    """A machine with the package installed by dpkg, enrolled and started."""

    field: Field
    machine: Machine
    box: Box


@pytest.fixture(scope="module")
def site(ground: Namespaces) -> Iterator[Site]:
    made = field.build(ground)
    machine = Machine(
        EDGE,
        guest("amd64"),
        made.internet,
        ground.workdir / EDGE,
        nics=(NIC,),
        files={"orillo.deb": package("amd64")},
        memory=1024,
        apparmor=True,
    )
    machine.power_on()
    try:
        machine.wait()
        machine.script(on_the_net(EDGE, ADDRESS, SITE_GATEWAY.ip))
        machine.script(patience("orillo", "orillo-charon", "orillo-dns"))
        log.info("dpkg: %s", machine.run("dpkg", "-i", "/media/vm/orillo.deb", timeout=900).splitlines()[-3:])
        box = Box(machine)
        box.enroll(made.operator.token(EDGE))
        yield Site(made, machine, box)
    finally:
        machine.power_off()
        made.operator.stop()


def denied(machine: Machine) -> list[str]:
    """What AppArmor refused anybody since the machine began."""
    return [line for line in machine.run("dmesg").splitlines() if 'apparmor="DENIED"' in line]


def test_the_daemons_are_confined_and_work(site: Site) -> None:
    """Its tunnel is the confined charon's, and a name that is not there is the confined unbound's answer."""
    wait_for(site.box, "a tunnel", tunnels_up, 900)
    ask = ("busybox", "nslookup", "nobody.default.svc.cluster.local", "169.254.20.10")
    until(
        lambda: "NXDOMAIN" in site.machine.call(*ask).text,
        "the name cache answers",
        300,
        2,
        lambda: site.machine.call(*ask).text + "\n".join(denied(site.machine)),
    )
    for unit, names in _CONFINED.items():
        pid = site.machine.run("systemctl", "show", "-P", "MainPID", unit).strip()
        mode = site.machine.run("cat", f"/proc/{pid}/attr/apparmor/current").strip()
        assert mode in {f"{name} (enforce)" for name in names}, mode
    assert not denied(site.machine)


def test_who_looks_at_charon_may(site: Site) -> None:
    """swanctl is confined too, and its profile knows only Debian's socket."""
    said = site.machine.run("swanctl", "--list-sas", "--uri", VICI)
    assert "ESTABLISHED" in said
    assert not denied(site.machine)


def test_without_our_additions_it_would_be_refused(site: Site) -> None:
    """The control: that nothing was refused means something."""
    profile = "usr.lib.ipsec.charon"
    site.machine.script(
        f"echo >/etc/apparmor.d/local/{profile}; apparmor_parser -T -r /etc/apparmor.d/{profile}"
    )
    site.machine.run("systemctl", "restart", "--no-block", "orillo-charon.service")
    until(
        lambda: any('profile="/usr/lib/ipsec/charon"' in line for line in denied(site.machine)),
        "charon is refused what is ours",
        120,
        2,
        lambda: "\n".join(denied(site.machine)),
    )
