# SPDX-License-Identifier: Apache-2.0
"""`orillo doctor`, `why`, `preflight` and `bugreport` in the lab; `./dev bench diagnosis` has all faults."""

import json
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.bench.diagnosis import ask_doctor, measure, wait_until_healthy
from tests.bench.faults.all import FAULTS, PAIRS
from tests.bench.faults.fault import EDGE
from tests.lab.command import attempt, run
from tests.lab.demo.build import build
from tests.lab.demo.topology import CONNECTORS, PUBLIC, SERVICE_PORT
from tests.lab.demo.world import World
from tests.lab.device import Daemon
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
    near = json.loads(good.out)["hops"]
    for hop in (*near, *far["hops"], *json.loads(stranger.out)["hops"]):
        assert hop["evidence"], hop
    assert {hop["step"] for hop in near} >= {"plan", "dns", "service", "backend"}


@pytest.mark.parametrize(
    ("fault", "far", "step"),
    [
        ("rule-before-ours", "shop2", "route"),
        ("charon-dead", "shop2", "ike"),
        ("mtu-black-hole", "shop2", "mtu"),
        ("dns-dead", "web", "dns"),
    ],
)
def test_path_breaks_where_the_fault_is(world: World, fault: str, far: str, step: str) -> None:
    """And that hop says what shows it, and what to do."""
    wait_until_healthy(world)
    (broken,) = (one for one in FAULTS if one.name == fault)
    with broken.inject(world):
        walk = json.loads(world.devices[EDGE].call("why", EDGE, far, "-o", "json").out)
    assert walk["breaks"] == step, walk
    (hop,) = (one for one in walk["hops"] if one["step"] == step and one["ok"] is False)
    assert hop["evidence"]
    assert hop["remedy"]


def test_preflight_tries_the_hubs_that_the_token_leads_to(world: World) -> None:
    """On a fresh root, with a token that stays unspent."""
    device = world.devices[EDGE]
    token = world.operator.token("depot")
    fresh = device.installation.at(device.root / "preflight")
    answer = json.loads(fresh.call("preflight", token, "-o", "json").out)
    facts = [(fact["what"], fact["value"]) for fact in answer["facts"] if fact["ok"]]
    for hub in CONNECTORS:
        where = str(PUBLIC[hub])
        assert ("hub", f"{where}: UDP 500 answered, UDP 4500 answered") in facts
        assert any(what == "MTU" and where in value for what, value in facts)
    operator = PUBLIC["operator"]
    assert ("enrolment", f"TCP {operator} port 8443: open") in facts
    assert ("control", f"TCP {operator} port 443: open") in facts
    assert {"clock", "disk", "memory", "ESP", "TUN"} <= {what for what, _ in facts}
    assert token not in json.dumps(answer)
    # The token is still good.
    assert any(
        one["name"] == "depot" and not one.get("used")
        for one in world.operator.read("token", "list")["tokens"]
    )


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


def test_bug_report_holds_nothing_that_was_planted(world: World, tmp_path: Path) -> None:
    """Somebody left secrets in every file and list that goes into it."""
    device = world.devices[EDGE]
    token = world.operator.token("depot")
    key = (device.state / "identity/key.pem").read_text()
    body = key.splitlines()[1]
    planted = f'# {token}\n# password = "hush-hush-1"\n# psk: hush-hush-2\n'
    settings = device.root / "etc/orillo/orillo.toml"
    files = [device.run_directory / name for name in ("unbound.conf", "strongswan.conf")]
    files += [settings, Path("/etc/netns") / device.ns / "resolv.conf"]
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.touch()
    nft = (
        f'table inet planted {{\ncomment "{token[:100]}"\nchain c {{\ncomment "secret=hush-hush-3"\n}}\n}}\n'
    )
    with ExitStack() as stack:
        for file in files:
            stack.callback(file.write_bytes, file.read_bytes())
            file.write_text(file.read_text() + planted + "".join(f"# {line}\n" for line in key.splitlines()))
        run("nft", "-f", "-", ns=device.ns, feed=nft)
        stack.callback(run, "nft", "delete", "table", "inet", "planted", ns=device.ns)
        alias = ("ip", "link", "set", "lo", "alias")
        run(*alias, "token=hush-hush-4", ns=device.ns)
        stack.callback(run, *alias, "", ns=device.ns)
        file = tmp_path / "report.tar.gz"
        made = device.call("bugreport", str(file))
    assert made.code == 0, made.text
    with tarfile.open(file) as archive:
        texts = {entry.name: archive.extractfile(entry).read().decode() for entry in archive}  # type: ignore[union-attr]
    for name, text in texts.items():
        for secret in (token[:40], token[8:60], "hush-hush", body, "PRIVATE KEY"):
            assert secret not in text, f"{name} holds {secret}"
    # There was something to find: what is not secret of the same places is there.
    whole = "".join(texts.values())
    assert "inet planted" in whole
    assert "[token removed]" in whole
    assert "[private key removed]" in whole


def test_what_others_undo_is_put_back_and_told(world: World) -> None:
    """On the device, and to the operator."""
    wait_until_healthy(world)
    device = world.devices[EDGE]
    before = device.status()["drift"].get("routes", {}).get("count", 0)
    words = ("unreachable", "10.255.0.0/16", "table", "7410", "metric", "4000000")
    run("ip", "route", "del", *words, ns=device.ns)

    def told() -> bool:
        drift = device.status()["drift"].get("routes", {})
        return drift.get("count", 0) > before and "10.255.0.0/16" in str(drift["what"])

    def reported() -> bool:
        seen = world.operator.read("device", "list")["devices"]
        return bool(next(one["report"] for one in seen if one["name"] == EDGE)["drift"].get("routes"))

    until(told, "the status tells of the repair", 40, 0.5)
    assert "10.255.0.0/16" in run("ip", "route", "show", "table", "7410", ns=device.ns)
    until(reported, "the operator hears of it", 20, 0.5)
    until(
        lambda: any(one["code"] == "drift-repaired" for one in device.status()["events"]), "an event", 20, 0.5
    )


def test_nothing_opens_at_a_start_without_a_plan(world: World) -> None:
    """A power cut damaged both slots, and the operator is out of reach; the conflist is still there."""
    device, uplink = world.devices["shop2"], world.uplink("shop2")
    slots = sorted((device.state / "plans").glob("[ab].json"))
    uplink.cut()
    try:
        device.kill(Daemon.AGENT)
        for family in ("-4", "-6"):
            run("ip", family, "route", "flush", "table", "7410", ns=device.ns)
            run("ip", family, "rule", "del", "pref", "7410", ns=device.ns)
        for slot in slots:
            slot.write_text("damaged")
        assert device.conflist.exists()
        device.start(Daemon.AGENT)

        def closed() -> bool:
            shown = [
                run("ip", family, "route", "show", "table", "7410", ns=device.ns) for family in ("-4", "-6")
            ]
            return "unreachable 10.200.0.0/16" in shown[0] and "unreachable fd00:200::/48" in shown[1]

        until(closed, "what the last plan closed is closed", 20, 0.3)
        refused = attempt("ip", "route", "get", str(world.pods["cloud"].v4), ns=device.ns)
        # What an unreachable route answers; the default route would lead to the internet.
        assert "No route to host" in refused.text
        assert device.status()["state"] == "no-plan"
    finally:
        uplink.heal()
    world.wait_for_tunnels("shop2", 60)


def test_doctor_needs_neither_agent_nor_identity(world: World, tmp_path: Path) -> None:
    (fault,) = (one for one in FAULTS if one.name == "never-enrolled")
    answer, code = ask_doctor(world, fault)
    assert answer["first"] == "not-enrolled"
    assert code == 4
