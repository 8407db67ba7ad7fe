# SPDX-License-Identifier: Apache-2.0
"""A card through updates: good, refused, crashing, cut. It always comes back, enrolled, with what it had."""

import logging
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.namespaces import Namespaces
from tests.lab.process import Process
from tests.lab.wait import until
from tests.vm.bundles import CRASHES, bundle, keys_of, other_keys
from tests.vm.card import BOOT, Card
from tests.vm.field import EDGE, NIC, SITE_GATEWAY, UPLINK, Field, build

_IMAGE = os.environ.get("ORILLO_IMAGE", "")
_ARCH = os.environ.get("ORILLO_IMAGE_ARCH", "amd64")
_CUTS = int(os.environ.get("ORILLO_CUTS", "10"))
_PORT = 8000
pytestmark = pytest.mark.skipif(not _IMAGE, reason="./dev image test makes the image that this needs")

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def field(ground: Namespaces) -> Field:
    return build(ground)


@pytest.fixture(scope="module")
def shelf(field: Field) -> Path:
    """Where an update server has its bundles."""
    directory = field.namespaces.workdir / "shelf"
    directory.mkdir()
    return directory


@pytest.fixture(scope="module")
def server(field: Field, shelf: Path) -> str:
    """The URL of an HTTP server with ranges, at the site's gateway."""
    command = ("busybox", "httpd", "-f", "-p", f"{SITE_GATEWAY.ip}:{_PORT}", "-h", str(shelf))
    Process(command, field.namespaces.workdir / "httpd.log", ns=field.internet)
    return f"http://{SITE_GATEWAY.ip}:{_PORT}"


@pytest.fixture(scope="module")
def card(field: Field) -> Iterator[Card]:
    """An enrolled card."""
    card = Card("card", _ARCH, Path(_IMAGE), field.internet, field.namespaces.workdir / "card", NIC)
    card.flash()
    card.configure(f'token = "{field.operator.token(EDGE)}"\n{UPLINK}')
    card.power_on()
    card.serial.expect(f"enrolled as {EDGE}", 2 * BOOT)
    card.log_in()
    card.run("sh", "-c", "echo kept >/var/lib/orillo-host/canary; sync")
    yield card
    card.power_off()


def slot(card: Card) -> str:
    """The system that runs."""
    return card.run("sh", "-c", "grep -o 'rauc.slot=.' /proc/cmdline").strip()[-1]


def entries(card: Card) -> str:
    return card.run("ls", "/efi/loader/entries")


def whole(card: Card) -> None:
    """It is who it was, with what it had, and its tunnel comes back."""

    def working() -> bool:
        return '"up":true' in card.call("orillo", "status", "-o", "json").out.replace(" ", "")

    until(working, "the tunnel is up", 300, 2)
    assert card.run("cat", "/var/lib/orillo-host/canary").strip() == "kept"
    assert card.run("hostname").strip() == EDGE


def restarted(card: Card) -> None:
    """It restarts by itself; then there is a shell again."""
    card.serial.expect("(?i)boot-config:", BOOT)
    card.log_in()


def test_a_good_update_is_streamed_tried_and_kept(card: Card, shelf: Path, server: str) -> None:
    whole(card)
    before = slot(card)
    made = bundle(Path(_IMAGE), _ARCH, "2", shelf / "work-2")
    made.rename(shelf / "2.raucb")
    started = time.monotonic()
    card.run("orillo", "update", "--no-restart", f"{server}/2.raucb", timeout=1200)
    log.info("streamed and written in %.0f s", time.monotonic() - started)
    assert f"orillo-{'b' if before == 'a' else 'a'}+3.conf" in entries(card)
    card.serial.send("systemctl reboot\r")
    restarted(card)
    assert slot(card) != before
    assert card.run("cat", "/etc/orillo-image").strip() == "orillo 2"
    until(lambda: "+" not in entries(card), "the new system is kept", 600, 3)
    whole(card)


@pytest.mark.parametrize("wrong", ["foreign", "truncated", "changed"])
def test_what_is_not_ours_is_refused(card: Card, shelf: Path, server: str, wrong: str) -> None:
    before, listed = slot(card), entries(card)
    good = shelf / "2.raucb"
    data = good.read_bytes()
    if wrong == "foreign":
        keys = other_keys(shelf / "foreign-keys")
        bundle(Path(_IMAGE), _ARCH, "foreign", shelf / "work-f", keys=keys).rename(shelf / "foreign.raucb")
    elif wrong == "truncated":
        (shelf / "truncated.raucb").write_bytes(data[: len(data) // 2])
    else:
        middle = len(data) // 2
        (shelf / "changed.raucb").write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    refused = card.call("orillo", "update", f"{server}/{wrong}.raucb", timeout=1200)
    assert refused.code == 3, refused.text
    assert "nothing has changed" in refused.err
    assert slot(card) == before
    # A slot that was half written has no entry that would be started.
    assert [name for name in entries(card).split() if "+0" not in name] == listed.split()[:1]
    whole(card)


def test_a_system_whose_agent_crashes_is_undone_by_itself(card: Card, shelf: Path, server: str) -> None:
    before = slot(card)
    bundle(Path(_IMAGE), _ARCH, "crash", shelf / "work-c", agent=CRASHES).rename(shelf / "crash.raucb")
    card.run("orillo", "update", "--no-restart", f"{server}/crash.raucb", timeout=1200)
    card.serial.send("systemctl reboot\r")
    started = time.monotonic()
    # The program that would judge it crashes too; the loader counts its starts.
    until(lambda: _is_back(card, before), "the old system is back", 4 * BOOT, 1)
    log.info("back in the old system after %.0f s", time.monotonic() - started)
    whole(card)


def _is_back(card: Card, before: str) -> bool:
    card.serial.expect("login:|boot-config:", 4 * BOOT)
    card.log_in()
    return slot(card) == before


def test_power_cuts_at_any_moment_of_an_update_leave_a_system(card: Card, shelf: Path, server: str) -> None:
    chance = random.Random(7410)
    for number in range(_CUTS):
        card.serial.send(f"orillo update --no-restart {server}/2.raucb; systemctl reboot\r")
        moment = chance.uniform(1.0, 90.0)
        deadline = time.monotonic() + moment
        until(lambda: time.monotonic() >= deadline, "the moment of the cut", moment + 5, 0.1)  # noqa: B023
        card.power_off()
        card.power_on()
        card.log_in()
        whole(card)
        log.info("cut %d after %.0f s: slot %s, %s", number + 1, moment, slot(card), entries(card).split())


def test_keys_for_development_are_not_in_the_tree() -> None:
    assert not keys_of(Path(_IMAGE)).key.is_relative_to(Path(__file__).parents[2] / "image")
