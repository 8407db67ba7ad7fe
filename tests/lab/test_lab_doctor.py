# SPDX-License-Identifier: Apache-2.0
"""`orillo doctor`, `why`, `preflight` and `bugreport` in the lab; `./dev bench diagnosis` has all faults."""

import json
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.diagnosis import ask_doctor, measure, wait_until_healthy
from tests.bench.faults.all import FAULTS, PAIRS
from tests.bench.faults.fault import EDGE
from tests.lab.demo.build import build
from tests.lab.demo.topology import SERVICE_PORT
from tests.lab.demo.world import World
from tests.lab.namespaces import Namespaces
from tests.lab.product import Product
from tests.lab.wait import until

pytestmark = pytest.mark.lab

#: One of each part of the catalogue, and a pair.
CHOSEN = ("cable", "4500-blocked", "firewall-forward", "line+hub")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The demo's hosts, built once for this file."""
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        namespaces = Namespaces(Path(directory))
        try:
            yield build(namespaces, Product(), print)
        finally:
            namespaces.remove()


@pytest.mark.parametrize("name", CHOSEN)
def test_cause_is_named_and_not_its_consequences(world: World, name: str) -> None:
    wait_until_healthy(world)
    (fault,) = (one for one in (*FAULTS, *PAIRS) if one.name == name)
    named = measure(world, fault)
    assert named.right, f"{fault.how}: {named.first} instead of {fault.expect}"
    assert named.seconds < 15


def test_running_agent_tells_the_same(world: World) -> None:
    """A condition comes into the status with its cause, and an event says when; both go again."""
    wait_until_healthy(world)
    device = world.devices[EDGE]
    (fault,) = (one for one in FAULTS if one.name == "cable")

    def told() -> list[str]:
        return [one["code"] for one in device.status().get("conditions", [])]

    with fault.inject(world):
        until(
            lambda: told()[:1] == ["link-no-carrier"],
            "the status names the cable",
            60,
            1.0,
            lambda: str(told()),
        )
    until(
        lambda: "link-no-carrier" not in told(), "the status forgets the cable", 60, 1.0, lambda: str(told())
    )
    events = [(one["code"], one["active"]) for one in device.status()["events"]]
    assert ("link-no-carrier", True) in events
    assert ("link-no-carrier", False) in events


def test_path_is_walked_to_its_end(world: World) -> None:
    wait_until_healthy(world)
    device = world.devices[EDGE]
    good = device.call("why", EDGE, "web", str(SERVICE_PORT), "-o", "json")
    assert good.code == 0, good.text
    far = json.loads(device.call("why", EDGE, "shop2", "-o", "json").out)
    steps = [hop["step"] for hop in far["hops"]]
    assert steps == ["plan", "policy", "route", "ike", "child", "counters", "path", "path", "mtu"]
    assert far["breaks"] == ""
    stranger = device.call("why", EDGE, "depot", "-o", "json")
    assert stranger.code == 1
    assert json.loads(stranger.out)["breaks"] == "plan"


def test_preflight_tries_the_hubs_that_the_token_leads_to(world: World) -> None:
    """On a fresh root, with a token that stays unspent."""
    device = world.devices[EDGE]
    token = world.operator.token("depot")
    fresh = device.installation.at(device.root / "preflight")
    answer = json.loads(fresh.call("preflight", token, "-o", "json").out)
    hubs = [fact for fact in answer["facts"] if fact["what"] == "hub"]
    assert len(hubs) == 2
    assert all(fact["ok"] for fact in hubs)
    assert token not in json.dumps(answer)


def test_bug_report_is_small_readable_and_without_secrets(world: World, tmp_path: Path) -> None:
    device = world.devices[EDGE]
    file = tmp_path / "report.tar.gz"
    made = device.call("bugreport", str(file), "--hash-addresses")
    assert made.code == 0, made.text
    assert file.stat().st_size <= 1_000_000
    key = (device.state / "identity/key.pem").read_text().splitlines()[1]
    with tarfile.open(file) as archive:
        texts = [archive.extractfile(entry).read().decode() for entry in archive]  # type: ignore[union-attr]
    assert not any(key in text or "PRIVATE KEY" in text for text in texts)
    assert not any("192.168.1.10" in text for text in texts)
    shown = world.operator.call("bugreport", "show", str(file))
    assert shown.code == 0, shown.text
    assert EDGE in shown.out


def test_doctor_needs_neither_agent_nor_identity(world: World, tmp_path: Path) -> None:
    (fault,) = (one for one in FAULTS if one.name == "never-enrolled")
    answer, code = ask_doctor(world, fault)
    assert answer["first"] == "not-enrolled"
    assert code == 4
