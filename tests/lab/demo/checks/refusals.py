# SPDX-License-Identifier: Apache-2.0
"""`bad-input`: manifests, tokens and plans that must not be believed, each refused with its own reason."""

import time
from pathlib import Path

from tests.lab.command import Result
from tests.lab.demo import manifests
from tests.lab.demo import topology as demo
from tests.lab.demo.check import expect
from tests.lab.demo.world import World
from tests.lab.device import Daemon, Device
from tests.lab.operator import Operator, init_options
from tests.lab.wait import until

_UNKNOWN_FIELD = manifests.community(("shop1", "depot"), "typo").replace("members:", "membres:")
_OVERLAP = manifests.edge("kiosk-2").replace("status:", "spec:\n  podCIDRs: [10.77.0.128/25]\nstatus:")
_FIRST = manifests.edge("kiosk-1").replace("status:", "spec:\n  podCIDRs: [10.77.0.0/24]\nstatus:")

_NEW_TOKEN = "`orillo-cloud token create"  # noqa: S105 -- what every refusal of a token ends with


def bad_input(world: World) -> str:
    """All of it; what is refused leaves nothing behind."""
    return "; ".join((_bad_manifests(world), _bad_tokens(world), _bad_plan(world)))


def _bad_manifests(world: World) -> str:
    good = manifests.community(("shop1", "depot"), "good")
    cases = {
        "unknown-field": ((good, _UNKNOWN_FIELD), "document 2", ("membres", "Did you mean `members`?")),
        "overlap": (
            (_FIRST, _OVERLAP),
            "document 2",
            ("10.77.0.", "podCIDR", "kiosk-1", "give one of them another prefix"),
        ),
        "duplicate": ((good, good), "document 2", ("metadata.name", "good", "Keep one of the two")),
    }
    for case, (documents, document, words) in cases.items():
        file = manifests.write(world.manifests / "bad" / f"{case}.yaml", *documents)
        result = world.operator.call("apply", "-f", str(file))
        _expect_refusal(case, result, (str(file), document, *words))
    for kind, name in (
        ("community", "good"),
        ("community", "typo"),
        ("node", "kiosk-1"),
        ("node", "kiosk-2"),
    ):
        expect(not world.operator.call("get", kind, name).ok, f"{kind} {name} of a refused apply is there")
    return f"{len(cases)} manifests refused whole, with file, document, field and remedy"


def _expect_refusal(case: str, result: Result, words: tuple[str, ...]) -> None:
    """Refused, in plain words that hold all of `words`."""
    expect(not result.ok, f"{case}: accepted")
    expect("Traceback" not in result.text, f"{case}: a traceback instead of a reason")
    missing = [word for word in words if word not in result.text]
    expect(not missing, f"{case}: {result.text!r} does not say {', '.join(map(repr, missing))}")


def _bad_tokens(world: World) -> str:
    """Four tokens, each refused with a message of its own, and no key kept."""
    expired = world.operator.token("depot", "--ttl", "1s")
    made = time.monotonic()
    tokens = {
        "wrong": "orillo1.this-is-no-token",
        "used": world.tokens["depot"],
        "foreign-CA": _foreign_token(world),
        "expired": expired,
    }
    until(lambda: time.monotonic() - made > 1.5, "the token expires", 5)
    said = {case: _enroll_elsewhere(world.devices["depot"], case, token) for case, token in tokens.items()}
    expect(len(set(said.values())) == len(said), f"two of them are told the same: {said}")
    for case, word in (("used", "used"), ("expired", "expired"), ("foreign-CA", "CA")):
        expect(word in said[case], f"{case} token: the message does not say so: {said[case]}")
    for case, text in said.items():
        expect(_NEW_TOKEN in text, f"{case} token: the message names no remedy: {text}")
    return f"{len(said)} tokens refused, each with its own message and a remedy"


def _enroll_elsewhere(device: Device, case: str, token: str) -> str:
    """Try a token with a fresh root on a device; returns the message of the refusal."""
    root = device.root / f"token-{case}"
    result = device.installation.at(root).call("enroll", "-", feed=token + "\n")
    _expect_refusal(f"{case} token", result, ())
    expect("secret" not in result.text, f"{case} token: the message shows the token")
    kept = [path for path in root.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    expect(not kept, f"{case} token: a key was kept in {kept}")
    return result.text


def _foreign_token(world: World) -> str:
    """A token of another operator, which claims to stand where ours does."""
    foreign = world.workdir / "foreign"
    other = Operator(world.operator.installation.at(foreign), foreign / "serve.log")
    other.init(demo.CLUSTER, *init_options(str(demo.PUBLIC["operator"])))
    other.apply(manifests.write(world.manifests / "bad" / "depot.yaml", manifests.edge("depot")))
    return other.token("depot")


def _bad_plan(world: World) -> str:
    """One byte of shop2's newest plan is changed while the agent is down and the uplink cut."""
    shop, uplink = world.devices["shop2"], world.uplink("shop2")
    slots = sorted((shop.state / "plans").glob("[ab].json"))
    expect(len(slots) == 2, f"shop2 has {len(slots)} plans on disk instead of two")
    generation = int(shop.status()["generation"])
    uplink.cut()
    try:
        shop.kill(Daemon.AGENT)
        newest = next(slot for slot in slots if f'"generation":{generation}'.encode() in slot.read_bytes())
        before = newest.read_bytes()
        newest.write_bytes(_with_one_byte_changed(before))
        shop.start(Daemon.AGENT)
        used = until(lambda: int(shop.status().get("generation", 0)), "shop2 uses a plan", 20, 0.3)
        told = _somewhere(shop, newest)
        remedy = until(lambda: _remedy(shop), "shop2 says what to do about it", 20, 0.3)
    finally:
        uplink.heal()
    expect(used < generation, f"shop2 still uses generation {used}, whose plan was changed on disk")
    expect(told, f"neither status nor log of shop2 speaks of {newest.name}")
    until(lambda: shop.status().get("generation", 0) >= generation, "shop2 gets a good plan", 40, 0.5)
    world.wait_for_tunnels("shop2", 30)
    return (
        f"plan {generation} with one byte changed refused, {used} used instead, fetched anew once online; "
        f"the device says: {remedy}"
    )


def _with_one_byte_changed(data: bytes) -> bytes:
    """The document with one digit of an address changed: it still parses, and would do harm."""
    at = data.index(b'"10.200.') + len(b'"10.20')
    return data[:at] + b"1" + data[at + 1 :]


def _somewhere(device: Device, file: Path) -> bool:
    """Whether the device's status or its agent's log names the file."""
    return file.name in str(device.status()) or file.name in device.daemons[Daemon.AGENT].output()


def _remedy(device: Device) -> str:
    """What its status says to do about a slot that was refused."""
    found = device.status().get("conditions", [])
    return next((one["remedy"] for one in found if one["code"] == "plan-slot-refused"), "")
