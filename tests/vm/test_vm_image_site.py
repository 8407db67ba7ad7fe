# SPDX-License-Identifier: Apache-2.0
"""A card without a token: a site by a carried plan, its consoles, a proxy, two uplinks, and a reset.

One card goes through all of it, in this order; cloud-init's user-data says what its orillo.toml would.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.lab.demo import manifests
from tests.lab.namespaces import Namespaces
from tests.lab.process import Process
from tests.lab.wait import until
from tests.vm import pod as vm_pod
from tests.vm.card import ARCHITECTURE, BOOT, IMAGE, Card, needs_image
from tests.vm.field import (
    ADDRESS,
    EDGE,
    NIC,
    OPERATOR,
    SITE_GATEWAY,
    SPARE_ADDRESS,
    SPARE_GATEWAY,
    SPARE_NIC,
    Field,
    build,
)

_PICTURES = os.environ.get("ORILLO_PICTURES", "")
_PROXY = 3128
#: Bytes of a picture with more on it than a cursor.
_DRAWN = 5000
#: A tagged network of the site.
_TAG, _TAGGED = 7, "192.0.2.9/29"
pytestmark = needs_image

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def field(ground: Namespaces) -> Field:
    return build(ground)


@pytest.fixture(scope="module")
def proxy(field: Field) -> Iterator[Process]:
    """The site's web proxy, at its gateway."""
    words = (sys.executable, "-m", "tests.fakes.web_proxy", str(SITE_GATEWAY.ip), str(_PROXY))
    process = Process(words, field.namespaces.workdir / "proxy.log", ns=field.internet)
    yield process
    process.stop()


def user_data(card: Card, plan_key: str) -> str:
    """YAML knows JSON."""
    first = {"link": "eth0", "address": [str(ADDRESS)], "gateway": [str(SITE_GATEWAY.ip)]}
    second = {"link": "eth1", "address": [str(SPARE_ADDRESS)], "gateway": [str(SPARE_GATEWAY.ip)]}
    ours = {
        "plan": "site-plan.json",
        "plan_key": plan_key,
        "uplink": [first, second, {"link": "eth1", "vlan": _TAG, "address": [_TAGGED]}],
        "proxy": {"url": f"http://{SITE_GATEWAY.ip}:{_PROXY}"},
        "console": {"password_hash": card.password_hash},
    }
    return f"#cloud-config\nhostname: {EDGE}\norillo: {json.dumps(ours)}\n"


@pytest.fixture(scope="module")
def card(field: Field, proxy: Process) -> Iterator[Card]:
    """A card with a site plan and no token; the operator can't be reached at first."""
    assert proxy.alive
    workdir = field.namespaces.workdir
    made = workdir / "site-plan.json"
    prefixes = field.operator.read("plan", "site", EDGE, str(made))["prefixes"]
    service = manifests.service({EDGE: [ip_network(prefix)[9] for prefix in prefixes]})
    field.operator.apply(manifests.write(workdir / "service.yaml", service))
    told = field.operator.read("plan", "site", EDGE, str(made))
    card = Card("card", ARCHITECTURE, IMAGE, field.internet, workdir / "card", NIC, others=(SPARE_NIC,))
    card.flash()
    card.put("site-plan.json", made.read_text())
    card.put("user-data", user_data(card, told["plan_key"]))
    try:
        card.power_on()
        yield card
    finally:
        card.power_off()


def picture(card: Card, name: str) -> Path:
    """The screen, kept where ORILLO_PICTURES says."""
    return card.screen(Path(_PICTURES or card.workdir) / f"{name}.png")


def wait_for_tunnel(card: Card, seconds: float) -> float:
    """How long it took until the hub's tunnel carries something."""
    started = time.monotonic()
    until(card.tunnel_up, "the tunnel is up", seconds, 1, lambda: card.call("orillo", "status").text)
    return time.monotonic() - started


def test_without_a_token_both_consoles_are_at_enrol(card: Card) -> None:
    started = time.monotonic()
    said = card.serial.expect(r"boot-config: user-data:[^\r\n]*[\r\n]", BOOT)
    assert f"name {EDGE}, uplinks: eth0, eth1, eth1.{_TAG}, no token, site plan site-plan.json" in said
    card.serial.expect("Enrol", BOOT)
    log.info("the terminal at Enrol on the serial line after %.0f s", time.monotonic() - started)
    # What it shows is for people to look at; an empty screen is far smaller.
    until(lambda: picture(card, "enrol").stat().st_size > _DRAWN, "the screen shows something", 120, 2)
    assert "token" in card.serial.text()


def test_the_site_lives_by_the_plan_that_was_carried_there(card: Card) -> None:
    """Pods reach each other with no tunnel and no operator; what is remote goes nowhere."""
    card.log_in(BOOT)
    until(lambda: card.call("test", "-e", vm_pod.CONFLIST).ok, "the conflist is there", 240, 2)
    until(lambda: card.status().get("state") == "unenrolled", "it says that it is not enrolled", 60, 1)
    here = vm_pod.start(card, "one")
    there = vm_pod.start(card, "two")
    for address in there.addresses:
        until(lambda address=address: here.ping(address), f"{address} answers", 60, 1)  # type: ignore[misc]
    assert "No route to host" in card.call("ip", "route", "get", "10.200.99.1").err


def test_it_enrols_through_the_sites_proxy(field: Field, card: Card, proxy: Process) -> None:
    card.enroll(field.operator.token(EDGE))
    log.info("enrolled; tunnel after %.0f s", wait_for_tunnel(card, 300))
    asked = [line.rpartition(" ")[2] for line in proxy.output().splitlines() if line.startswith("asked for")]
    # Enrolment's port and the control endpoint's: all of it went that way.
    assert len({place for place in asked if place.startswith(f"{OPERATOR}:")}) == 2, asked


def test_the_second_uplink_takes_over_and_gives_back(card: Card) -> None:
    def route() -> str:
        return card.run("ip", "route", "get", "203.0.113.11")

    assert "dev eth0" in route()
    tagged = card.run("ip", "-d", "address", "show", f"eth1.{_TAG}")
    assert f"802.1Q id {_TAG}" in tagged
    assert _TAGGED in tagged
    card.carrier(NIC, on=False)
    started = time.monotonic()
    until(lambda: "dev eth1" in route(), "the second uplink is taken", 60, 0.5)
    log.info("the other uplink after %.1f s", time.monotonic() - started)
    log.info("the tunnel over it after %.1f s", wait_for_tunnel(card, 240))
    card.carrier(NIC, on=True)
    until(lambda: "dev eth0" in route(), "the first uplink is taken again", 60, 0.5)
    log.info("the tunnel back after %.1f s", wait_for_tunnel(card, 240))


def test_once_enrolled_a_console_is_one_line(card: Card) -> None:
    card.serial.send("exit\r")
    line = card.serial.expect(rf"{EDGE}, {ADDRESS.ip}, edge in lab, [^\r\n]*[\r\n]", 120)
    log.info("the console says: %s", line.strip())
    card.serial.expect("Enter for the terminal", 10)
    picture(card, "line")
    card.log_in()


def test_a_reset_keeps_the_identity_if_it_shall(card: Card) -> None:
    card.run("sh", "-c", "echo x >/var/lib/misc/canary; orillo reset --keep-identity --no-restart")
    card.serial.send("systemctl reboot\r")
    card.serial.expect("factory reset .keep-identity. done", BOOT)
    card.log_in()
    assert not card.call("test", "-e", "/var/lib/misc/canary").ok
    log.info("after a reset with identity: tunnel after %.0f s", wait_for_tunnel(card, 300))
    assert card.run("hostname").strip() == EDGE


def test_a_reset_forgets_who_it_is(card: Card) -> None:
    card.run("orillo", "reset", "--no-restart")
    card.serial.send("systemctl reboot\r")
    card.serial.expect("factory reset .everything. done", BOOT)
    # The card's partition still says who may log in, and which plan the site has.
    card.serial.expect(f"boot-config: user-data: name {EDGE}", 60)
    card.log_in()
    assert not card.call("test", "-e", "/var/lib/orillo/identity").ok
    assert card.run("systemctl", "--failed", "--no-legend", "--plain").strip() == ""
