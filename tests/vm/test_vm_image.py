# SPDX-License-Identifier: Apache-2.0
"""From a flashed card to a working site, and through updates that go well and badly: `./dev image test`."""

import logging
import shutil
import time
from collections.abc import Iterator

import pytest

from tests.lab import capture
from tests.lab.namespaces import Namespaces
from tests.lab.wait import until
from tests.vm import pod as vm_pod
from tests.vm.card import ARCHITECTURE, BOOT, IMAGE, Card, guest_seconds, needs_image
from tests.vm.field import EDGE, NIC, UPLINK, Field, build

pytestmark = needs_image

#: MiB in use with charon, unbound and the agent, at most.
_MEMORY = 160

#: An emulated gateway beside other work; what is waited for comes far sooner on a quiet machine.
_LONG = 1200.0

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def field(ground: Namespaces) -> Field:
    return build(ground)


@pytest.fixture(scope="module")
def token(field: Field) -> str:
    return field.operator.token(EDGE)


@pytest.fixture(scope="module")
def card(field: Field, token: str) -> Iterator[Card]:
    """A flashed card with its token, switched on."""
    card = Card("card", ARCHITECTURE, IMAGE, field.internet, field.namespaces.workdir / "card", NIC)
    card.flash()
    card.configure(f'token = "{token}"\n{UPLINK}')
    try:
        card.power_on()
        yield card
    finally:
        card.power_off()
        shutil.copy(card.workdir / "serial.log", f"{IMAGE}.serial.log")


def test_a_flashed_card_with_a_token_becomes_a_gateway(field: Field, card: Card) -> None:
    started = time.monotonic()
    card.serial.expect("boot-config: orillo.toml: name gateway", _LONG)
    log.info("boot-config read after %.0f s", time.monotonic() - started)
    card.serial.expect(f"{EDGE}, .*, joining with what the card brought", _LONG)
    card.serial.expect(f"enrolled as {EDGE}", _LONG)
    card.serial.expect("the token is wiped from orillo.toml", 120)
    log.info("enrolled after %.0f s from power on", time.monotonic() - started)
    hub = field.hub
    until(lambda: "INSTALLED" in hub.security_associations(), "the gateway's tunnel is up", _LONG, 2)
    log.info("tunnel up after %.0f s from power on", time.monotonic() - started)


def test_its_pod_reaches_a_pod_of_the_cloud_through_the_kernels_esp(field: Field, card: Card) -> None:
    wire = capture.start(
        field.internet, "any", field.namespaces.workdir / "wire.pcap", "udp port 4500 or esp"
    )
    card.log_in(_LONG)
    card.run("ip", "-d", "link", "show", "orillo-hub1")
    assert "aead rfc4106(gcm(aes))" in card.run("ip", "xfrm", "state")
    here = vm_pod.start(card)
    for address in field.pod.addresses:
        until(lambda address=address: here.ping(address), f"{address} answers", _LONG, 1)  # type: ignore[misc]
    assert wire.count("udp port 4500") > 0


def test_the_token_is_nowhere_on_the_card(field: Field, card: Card, token: str) -> None:
    card.run("sync")
    assert token.encode() not in card.raw("boot-config")
    assert token.encode() not in card.raw("data")
    assert token not in card.run("journalctl", "--no-pager", "-o", "cat", timeout=240)


def test_the_system_is_as_it_should_be(card: Card) -> None:
    """And as small: the figures are the targets of the image, in the emulation as on hardware."""
    assert card.run("systemctl", "--failed", "--no-legend", "--plain").strip() == ""
    assert card.run("findmnt", "-no", "FSTYPE,OPTIONS", "/").startswith("squashfs ro")
    assert int(card.run("findmnt", "-bno", "SIZE", "/var")) > 900 << 20
    assert card.run("hostname").strip() == EDGE
    listening = card.run("ss", "-Hlnt")
    assert ":22 " not in listening
    seconds = guest_seconds(card)
    used = int(
        card.script(
            "awk '/^MemTotal/ { t = $2 } /^MemAvailable/ { print int((t - $2) / 1024) }' /proc/meminfo"
        )
    )
    ours = card.script(
        "for name in orillo charon unbound; do awk '/^Name/ { n = $2 } /^VmRSS/ { print n, int($2 / 1024) }'"
        " $(grep -lx $name /proc/[0-9]*/comm | sed 's/comm$/status/'); done"
    )
    assert used <= _MEMORY
    log.info(
        "guest seconds %s; RAM used %d MiB; orillo, charon, unbound RSS %s MiB", seconds, used, ours.strip()
    )


def test_the_clock_is_kept_over_a_start_without_a_clock_of_its_own(card: Card) -> None:
    """systemd-timesyncd's file is its floor, and the agent's last sight of the control endpoint another."""
    assert card.call("test", "-s", "/var/lib/orillo/last-seen").ok
    assert card.run("systemctl", "is-active", "systemd-timesyncd.service").strip() == "active"
    assert card.call("test", "-e", "/var/lib/systemd/timesync/clock").ok


def test_the_watchdog_ends_an_init_that_froze(card: Card) -> None:
    """That of the kernel here, since the cloud kernel drives none of the emulation's; a board has its own."""
    assert card.run("systemctl", "show", "-P", "RuntimeWatchdogUSec").strip() == "30s"
    boot = card.run("cat", "/proc/sys/kernel/random/boot_id")
    started = time.monotonic()
    # systemd catches it and freezes, for somebody to look: nothing feeds the watchdog from then on.
    card.serial.send("kill -SEGV 1\r")
    card.serial.expect("boot-config:", BOOT)
    log.info("the machine began anew, and was there %.0f s after its init froze", time.monotonic() - started)
    # A panic would restart it too.
    assert "Kernel panic" not in card.serial.text()
    card.log_in()
    assert card.run("cat", "/proc/sys/kernel/random/boot_id") != boot


def test_it_is_the_same_machine_after_a_power_cut(card: Card) -> None:
    identity = card.run("cat", "/etc/machine-id")
    card.power_off()
    card.power_on()
    started = time.monotonic()
    card.log_in()
    log.info("login after %.0f s", time.monotonic() - started)
    assert card.run("cat", "/etc/machine-id") == identity
    until(card.tunnel_up, "its tunnel is up", _LONG, 2)
    assert card.run("hostname").strip() == EDGE


def test_how_long_a_start_takes_beside_the_same_kernel_with_a_shell(card: Card) -> None:
    """In the machine's own seconds since its kernel began. The last test: it starts nothing else then."""
    ready = int(card.run("systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", "orillo.service")) / 1e6
    assert ready > 0
    card.power_off()
    entry = card.on_card("esp", "loader/entries/orillo-a.conf").decode()
    shell = entry.replace("options ", "options init=/bin/sh ")
    card.put("loader/entries/orillo-a.conf", shell, partition="esp")
    card.power_on()
    card.serial.expect("# ", BOOT)
    card.serial.send("read up idle </proc/uptime; echo up-$up-\r")
    bare = float(card.serial.expect(r"up-[\d.]+-", 60).strip("up-"))
    log.info("a plan applied %.1f s after the kernel began; a shell alone %.1f s", ready, bare)
    assert bare < ready
