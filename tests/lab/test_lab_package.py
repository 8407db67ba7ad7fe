# SPDX-License-Identifier: Apache-2.0
"""The Debian package on a Debian that runs: `./dev build --check`, since a build takes minutes.

One edge of the demo is switched off and goes on as a booted Debian with the package, in the same place of the
network, with the same identity, against the same connectors.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from appliance.built import architecture
from orillo_pack.debian import make_package
from tests.bench.binary import compiled
from tests.lab.booted import Booted, make_system
from tests.lab.command import attempt
from tests.lab.demo.build import build
from tests.lab.demo.world import World
from tests.lab.namespaces import Namespaces
from tests.lab.process import Process
from tests.lab.product import Product
from tests.lab.wait import until
from tests.unit.update.made import KEY, release_bytes, trust

_CACHE = os.environ.get("ORILLO_CLEAN_ROOTS", "")
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not _CACHE, reason="./dev build --check prepares what this needs"),
]
_UNITS = ("orillo.service", "orillo-charon.service", "orillo-dns.service")
#: Figures of `systemd-analyze security`, from 0 (safe) to 10; what they are now, and no more.
_EXPOSURE = {"orillo": 3.5, "orillo-charon": 4.3, "orillo-dns": 2.6, "orillo-update": 2.3}
_ARCHITECTURE = architecture()
_QUICKLY = ("-Zgzip", "-z1")


@dataclass
class Shop:
    """shop1 of the demo as a Debian of its own."""

    world: World
    system: Booted

    def status(self) -> dict[str, Any]:
        said = self.system.call("orillo", "status", "-o", "json").out
        return json.loads(said) if said.startswith("{") else {}

    def carries(self) -> bool:
        """The plan is in force, the control endpoint is there, and a hub carries its traffic."""
        seen = self.status()
        tunnel = seen.get("tunnels", {}).get(seen.get("hub"), {})
        return seen.get("state") == "running" and bool(seen["control"]["connected"] and tunnel.get("up"))

    def wait(self) -> None:
        until(
            self.carries,
            "shop1 carries traffic",
            90,
            1.0,
            lambda: self.system.call("journalctl", "-n", "20").out,
        )

    def install(self, version: str, *options: str) -> str:
        return self.system.must(
            "dpkg", *options, "-i", f"/root/orillo_{version}_{_ARCHITECTURE}.deb", timeout=180
        )

    def running(self) -> str:
        shown = self.system.call("orillo", "update", "-o", "json").out
        return str(json.loads(shown)["running"]) if shown.startswith("{") else shown


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        namespaces = Namespaces(Path(directory))
        system: Booted | None = None
        try:
            world = build(namespaces, Product(), lambda _: None)
            device = world.devices["shop1"]
            device.stop()
            system = Booted(make_system(Path(_CACHE)), Path(directory) / "system", device.ns)
            shutil.copytree(device.state, system.root / "var/lib/orillo", symlinks=True)
            for version in ("0.1.0", "0.2.0"):
                package = make_package(
                    compiled().parent, Path(directory), version, _ARCHITECTURE, 0, compression=_QUICKLY
                )
                shutil.move(package, system.root / "root" / package.name)
            trust(system.root / "etc/orillo/release-keys", KEY)
            system.boot()
            yield Shop(world, system)
        finally:
            if system is not None:
                system.remove()
            namespaces.remove()


def test_install_names_who_holds_a_port_and_stops_nobody(shop: Shop) -> None:
    starter = "strongswan-starter"
    until(
        lambda: shop.system.active(starter),
        "Debian's own charon runs",
        20,
        explain=lambda: shop.system.call("systemctl", "status", "--no-pager", starter).text,
    )
    said = shop.install("0.1.0")
    assert "UDP port 500 is held by charon" in said
    assert "systemctl disable --now strongswan-starter" in said
    assert shop.system.active(starter)
    # The owner does it; ours has waited for that.
    shop.system.must("systemctl", "disable", "--now", starter)
    shop.wait()
    assert all(shop.system.active(unit) for unit in (*_UNITS, "orillo-update.path"))
    networkd = shop.system.must("systemd-analyze", "cat-config", "systemd/networkd.conf")
    assert "\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no" in networkd
    for name in ("usr.lib.ipsec.charon", "usr.sbin.unbound", "usr.sbin.swanctl"):
        shop.system.must("apparmor_parser", "--skip-kernel-load", "--skip-cache", f"/etc/apparmor.d/{name}")
        assert "orillo/" in (shop.system.root / "etc/apparmor.d/local" / name).read_text()


def test_units_are_as_tight_as_they_say(shop: Shop) -> None:
    for unit, most in _EXPOSURE.items():
        last = shop.system.must("systemd-analyze", "security", "--no-pager", unit).strip().splitlines()[-1]
        assert float(last.partition(": ")[2].split()[0]) <= most, last


def _transfer(world: World, far: str) -> Process:
    """One TCP connection from a pod of shop1 to that pod, which carries blocks until it is stopped."""
    to, start = world.pods[far], (sys.executable, "-I", str(Path(__file__).with_name("transfer.py")))
    receiver = Process((*start, "receive", "7777"), world.workdir / f"{far}-receives.log", ns=to.ns)
    receiver.wait_for("ready", 20)
    sends = (*start, "send", str(to.v4), "7777")
    sender = Process(sends, world.workdir / f"{far}-is-sent.log", ns=world.pods["shop1"].ns)
    sender.wait_for("flows", 60)
    return sender


def test_upgrade_and_downgrade_under_traffic_lose_nothing(shop: Shop) -> None:
    shop.wait()
    before = [shop.system.main_pid(unit) for unit in _UNITS]
    world = shop.world
    until(lambda: world.pods["shop1"].ping(world.pods["cloud"].v4, count=1), "traffic flows", 60)
    streams = [world.stream("shop1", world.pods[far].v4, 0.05) for far in ("cloud", "shop2")]
    for stream in streams:
        stream.wait_for_replies(20, 60)
    transfers = [_transfer(world, far) for far in ("cloud", "shop2")]
    for version in ("0.2.0", "0.1.0"):
        shop.install(version)
        shop.wait()
    tallies = [stream.stop() for stream in streams]
    assert [tally.lost for tally in tallies] == [0, 0], tallies
    for transfer in transfers:
        transfer.stop(seconds=60)
        assert "carried" in transfer.output(), transfer.output()
        assert transfer.code == 0, transfer.output()
    after = [shop.system.main_pid(unit) for unit in _UNITS]
    assert after[0] != before[0]
    assert after[1:] == before[1:]


def program(version: str, run: str = "") -> Mapping[str, bytes | str]:
    """A release around the package's own program; `run` is what its agent does instead."""
    text = f"""#!/bin/sh
case " $* " in
  *" version "*) echo "orillo {version}"; exit 0 ;;
  *" run "*) {run or ":"} ;;
esac
exec /usr/lib/orillo/orillo "$@"
"""
    return {"orillo": text.encode()}


def update(shop: Shop, version: str, run: str = "") -> tuple[int, str]:
    file = shop.system.root / f"root/{version}.release"
    file.write_bytes(release_bytes(version, program(version, run), architecture=_ARCHITECTURE))
    done = shop.system.call("orillo", "update", f"/root/{version}.release", timeout=240)
    return done.code, done.text


def test_self_update_under_systemd(shop: Shop) -> None:
    shop.wait()
    assert shop.running() == "package"
    assert update(shop, "1.0.0")[0] == 0
    assert shop.running() == "1.0.0"
    code, said = update(shop, "1.1.0", "exit 1")
    assert (code, "it ended 3 times" in said) == (1, True), said
    until(lambda: shop.running() == "1.0.0", "the one before runs", 30)
    shop.wait()


def test_trial_goes_on_after_a_power_cut(shop: Shop) -> None:
    """The device is switched off in the middle of it; the unit sees it to its end after the next boot."""
    shop.wait()
    file = shop.system.root / "root/1.2.0.release"
    file.write_bytes(release_bytes("1.2.0", program("1.2.0"), architecture=_ARCHITECTURE))
    shop.system.must("systemd-run", "--unit=updating", "orillo", "update", "/root/1.2.0.release")
    trial = shop.system.root / "var/lib/orillo/releases/trial"
    until(trial.is_symlink, "the trial has begun", 60)
    shop.system.cut()
    shop.system.boot()
    until(lambda: not trial.is_symlink(), "it is over", 180, 1.0)
    assert shop.running() == "1.2.0"
    shop.wait()


def test_newer_package_wins_over_a_release(shop: Shop) -> None:
    package = make_package(
        compiled().parent, shop.world.workdir, "2.0.0", _ARCHITECTURE, 0, compression=_QUICKLY
    )
    shutil.move(package, shop.system.root / "root" / package.name)
    shop.install("2.0.0")
    assert shop.running() == "package"


def test_remove_keeps_the_identity_and_purge_nothing(shop: Shop) -> None:
    shop.system.must("dpkg", "--remove", "orillo", timeout=120)
    assert not any(shop.system.active(unit) for unit in _UNITS)
    assert (shop.system.root / "var/lib/orillo/identity").exists()
    ns = shop.world.devices["shop1"].ns
    assert "7410" not in attempt("ip", "rule", ns=ns).out
    assert "table inet orillo" not in attempt("nft", "list", "tables", ns=ns).out
    assert "orillo/" not in (shop.system.root / "etc/apparmor.d/local/usr.lib.ipsec.charon").read_text()
    shop.system.must("dpkg", "--purge", "orillo")
    for place in ("var/lib/orillo", "etc/orillo", "usr/lib/orillo", "usr/lib/systemd/system/orillo.service"):
        assert not (shop.system.root / place).exists(), place
