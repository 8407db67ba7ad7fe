# SPDX-License-Identifier: Apache-2.0
"""A card through updates: good, refused, crashing, cut. It always comes back, enrolled, with what it had."""

import logging
import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab.command import run
from tests.lab.namespaces import Namespaces
from tests.lab.process import Process
from tests.lab.wait import until
from tests.vm.bundles import AGENT, CRASHES, INIT, bundle, keys_of, other_keys
from tests.vm.card import ARCHITECTURE, BOOT, IMAGE, Card, needs_image
from tests.vm.field import EDGE, NIC, SITE_GATEWAY, UPLINK, Field, build

#: How often the plug is pulled, and where chance starts from: another seed, other moments.
_CUTS = int(os.environ.get("ORILLO_CUTS", "10"))
_SEED = int(os.environ.get("ORILLO_SEED", "7410"))
#: An update takes so long in the emulation: fetched, written, started, judged.
_LONGEST = 200.0
_PORT = 8000
_UPDATE = 1500.0
_PARTS = "/var/lib/orillo-host/download/*.part"
pytestmark = needs_image

log = logging.getLogger(__name__)


@dataclass
class Server:
    """An HTTP server with ranges at the site's gateway; its files are in `shelf`."""

    field: Field
    shelf: Path
    process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://{SITE_GATEWAY.ip}:{_PORT}"

    def start(self) -> None:
        if self.process is not None and self.process.alive:
            return
        command = ("busybox", "httpd", "-f", "-p", f"{SITE_GATEWAY.ip}:{_PORT}", "-h", str(self.shelf))
        self.process = Process(command, self.shelf.with_suffix(".log"), ns=self.field.internet)

    def stop(self) -> None:
        """With the children that serve what was begun: it is the leader of a session of its own."""
        if self.process is not None and self.process.alive:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.stop()


@pytest.fixture(scope="module")
def field(ground: Namespaces) -> Field:
    return build(ground)


@pytest.fixture(scope="module")
def server(field: Field) -> Iterator[Server]:
    server = Server(field, field.namespaces.workdir / "shelf")
    server.shelf.mkdir()
    bundle(IMAGE, ARCHITECTURE, "2", server.shelf / "work-2").rename(server.shelf / "2.raucb")
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _serving(server: Server) -> None:
    """Whatever the test before left of it."""
    server.start()


@pytest.fixture(scope="module")
def card(field: Field) -> Iterator[Card]:
    """An enrolled card."""
    card = Card("card", ARCHITECTURE, IMAGE, field.internet, field.namespaces.workdir / "card", NIC)
    card.flash()
    card.configure(f'token = "{field.operator.token(EDGE)}"\n{UPLINK}')
    try:
        card.power_on()
        card.serial.expect(f"enrolled as {EDGE}", 2 * BOOT)
        card.log_in()
        card.run("sh", "-c", "echo kept >/var/lib/orillo-host/canary; sync")
        yield card
    finally:
        card.power_off()


def slot(card: Card) -> str:
    """The system that runs."""
    return card.run("sh", "-c", "grep -o 'rauc.slot=.' /proc/cmdline").strip()[-1]


def entries(card: Card) -> list[str]:
    """The boot loader's."""
    return card.run("ls", "/efi/loader/entries").split()


def whole(card: Card) -> None:
    """It is who it was, with what it had, and its tunnel comes back."""
    until(card.tunnel_up, "the tunnel is up", 300, 2)
    assert card.run("cat", "/var/lib/orillo-host/canary").strip() == "kept"
    assert card.run("hostname").strip() == EDGE


def on_trial(card: Card) -> bool:
    return any("+" in name and "+0" not in name for name in entries(card))


def restart(card: Card) -> None:
    card.serial.send("systemctl reboot\r")
    card.serial.expect("boot-config:", BOOT)
    card.log_in()


def test_an_update_goes_on_where_its_server_went_away_is_tried_and_kept(card: Card, server: Server) -> None:
    whole(card)
    before, other = slot(card), "b" if slot(card) == "a" else "a"
    update = f"orillo update --no-restart {server.url}/2.raucb"
    # A poor line, or all of it is here before anybody can look.
    slow = ("tc", "-n", server.field.internet, "qdisc")
    run(*slow, "add", "dev", NIC.tap, "root", "tbf", "rate", "12mbit", "burst", "32kb", "latency", "400ms")
    card.script(f"({update} >/run/update.log 2>&1 || echo ended >>/run/update.log) </dev/null &")
    enough = f"find {_PARTS} -size +20M | grep -q ."
    until(lambda: card.call("sh", "-c", enough).ok, "a part of it is here", 240, 0.2)
    server.stop()
    run(*slow, "del", "dev", NIC.tap, "root")
    until(lambda: "ended" in card.run("cat", "/run/update.log"), "it gives up", 300, 1)
    assert "can't be fetched" in card.run("cat", "/run/update.log")
    server.start()
    started = time.monotonic()
    said = card.call("sh", "-c", update, timeout=_UPDATE)
    assert said.ok, said.text
    shares = [int(share) for share in re.findall(r"fetching: (\d+) %", said.text)]
    assert shares[0] >= 10, said.text
    log.info("the rest fetched (from %d %% on) and written in %.0f s", shares[0], time.monotonic() - started)
    assert entries(card) == [f"orillo-{before}.conf", f"orillo-{other}+3.conf"]
    assert card.run("ls", "/var/lib/orillo-host/download").strip() == ""
    restart(card)
    assert slot(card) == other
    assert card.run("cat", "/etc/orillo-image").strip() == "orillo 2"
    until(lambda: not on_trial(card), "the new system is kept", 600, 3)
    judge = card.run("journalctl", "-b", "-u", "orillo-good.service", "-o", "cat", "--no-pager")
    assert f"system {other} is on trial; before the update worked:" in judge
    assert "hub" in judge
    assert f"system {other} works as the one before did, and stays" in judge
    whole(card)


def _made(server: Server, version: str, **how: Any) -> bytes:
    """A bundle that is only there to be spoilt."""
    work = server.shelf / f"work-{version}"
    data = bundle(IMAGE, ARCHITECTURE, version, work, **how).read_bytes()
    shutil.rmtree(work)
    return data


def _foreign(server: Server) -> bytes:
    return _made(server, "foreign", keys=other_keys(server.shelf / "keys"))


def _truncated(server: Server) -> bytes:
    data = (server.shelf / "2.raucb").read_bytes()
    return data[: len(data) // 2]


def _changed(server: Server) -> bytes:
    """In a block that is read: those that the card has already RAUC takes from there."""
    data = bytearray(_made(server, "changed", packing=("zstd", "-Xcompression-level", "1")))
    data[len(data) // 2] ^= 1
    return bytes(data)


def _page(_server: Server) -> bytes:
    return b"<html>Please log in to the hotel's network</html>" * 4096


@pytest.mark.parametrize("wrong", [_foreign, _truncated, _changed, _page])
def test_what_is_not_ours_is_refused(card: Card, server: Server, wrong: Callable[[Server], bytes]) -> None:
    (server.shelf / "wrong.raucb").write_bytes(wrong(server))
    before = slot(card)
    refused = card.call("orillo", "update", f"{server.url}/wrong.raucb", timeout=_UPDATE)
    assert refused.code == 3, refused.text
    log.info("refused: %s", refused.err.strip().splitlines()[-1])
    assert slot(card) == before
    # A slot that was half written has no entry that would be started, and the one that runs is as it was.
    assert f"orillo-{before}.conf" in entries(card)
    assert not on_trial(card)
    whole(card)


@pytest.mark.parametrize("broken", [AGENT, INIT], ids=["agent", "init"])
def test_a_system_that_crashes_is_undone_by_itself(card: Card, server: Server, broken: str) -> None:
    """With the agent crashes its judge too; without an init the kernel panics. The loader counts starts."""
    before = slot(card)
    made = bundle(IMAGE, ARCHITECTURE, "crash", server.shelf / "work-c", broken={broken: CRASHES})
    made.replace(server.shelf / "crash.raucb")
    card.run("orillo", "update", "--no-restart", f"{server.url}/crash.raucb", timeout=_UPDATE)
    assert on_trial(card)
    card.serial.send("systemctl reboot\r")
    started = time.monotonic()
    # Only a system whose agent runs says this.
    card.serial.expect("boot-config:", 5 * BOOT)
    card.log_in()
    log.info("back in the old system after %.0f s: %s", time.monotonic() - started, entries(card))
    assert slot(card) == before
    assert not on_trial(card)
    whole(card)


def test_power_cuts_at_any_moment_of_an_update_leave_a_system(card: Card, server: Server) -> None:
    chance = random.Random(_SEED)
    for number in range(_CUTS):
        # A system on trial takes no update: its way back lies in the other slot.
        until(lambda: not on_trial(card), "no system is on trial", 600, 3)
        card.serial.send(f"orillo update --no-restart {server.url}/2.raucb; systemctl reboot\r")
        moment = chance.uniform(1.0, _LONGEST)
        deadline = time.monotonic() + moment
        until(lambda: time.monotonic() >= deadline, "the moment of the cut", moment + 5, 0.1)  # noqa: B023
        card.power_off()
        was = card.serial.text()[-80:].split("\n")[-1].strip()
        card.power_on()
        card.log_in()
        whole(card)
        log.info("cut %d after %.0f s (%s): %s, %s", number + 1, moment, was, slot(card), entries(card))


def test_keys_for_development_are_not_in_the_tree() -> None:
    assert not keys_of(IMAGE).key.is_relative_to(Path(__file__).parents[2] / "image")
