# SPDX-License-Identifier: Apache-2.0
"""`diagnosis`: faults are injected into the lab one at a time; does `orillo doctor` name each one first?

Every fault starts from a device that the doctor calls healthy, and is taken back afterwards. It counts as
right when the first cause has the expected code, its action is the catalogue's, and the exit code says that
something is wrong. Target (TARGETS.md): 95 % of at least 25 kinds, each within 10 s.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from appliance.netcore.health.catalogue import KINDS
from appliance.netcore.health.condition import Severity
from tests.bench.faults.all import FAULTS, PAIRS
from tests.bench.faults.board import faketime
from tests.bench.faults.fault import EDGE, Fault
from tests.bench.outcome import CannotMeasureError, Outcome, say
from tests.lab.command import LabError, attempt
from tests.lab.demo.build import build
from tests.lab.demo.world import World
from tests.lab.namespaces import Namespaces
from tests.lab.process import environment
from tests.lab.product import Product
from tests.lab.wait import TimedOutError, until

_TARGET, _LEAST_KINDS, _LONGEST, _LONGEST_WELL = 0.95, 25, 10.0, 5.0
_HEALTHY_WITHIN = 90.0
_SETTLED_WITHIN = 45.0


@dataclass(frozen=True)
class Named:
    """What the doctor said of one fault, and how long it took."""

    fault: Fault
    first: str
    seconds: float
    right: bool
    others: tuple[str, ...] = ()


def run() -> Outcome:
    """The whole list, or those in ORILLO_FAULTS (names, by comma)."""
    if os.geteuid() != 0:
        raise CannotMeasureError("it builds hosts from network namespaces, and needs root")
    wanted = set(filter(None, os.environ.get("ORILLO_FAULTS", "").split(",")))
    faults = [fault for fault in (*FAULTS, *PAIRS) if not wanted or fault.name in wanted]
    with tempfile.TemporaryDirectory(prefix="orillo-diagnosis-") as directory:
        namespaces = Namespaces(Path(directory))
        try:
            world = build(namespaces, Product(), say)
            well = wait_until_healthy(world)
            named = [one for fault in faults if (one := _try(world, fault)) is not None]
        finally:
            namespaces.remove()
    return _outcome(named, well)


def _outcome(named: Sequence[Named], well: float) -> Outcome:
    single = [one for one in named if one.fault in FAULTS]
    pairs = [one for one in named if one.fault in PAIRS]
    share = sum(one.right for one in single) / max(1, len(single))
    slowest = max((one.seconds for one in named), default=0.0)
    enough = len({one.fault.expect for one in single}) >= _LEAST_KINDS
    ok = (
        share >= _TARGET
        and enough
        and slowest <= _LONGEST
        and well <= _LONGEST_WELL
        and all(o.right for o in pairs)
    )
    return Outcome(
        bench="diagnosis",
        target=_TARGET,
        value=round(share, 3),
        unit="share named right first",
        ok=ok,
        detail={
            "faults": len(single),
            "kinds": len({one.fault.expect for one in single}),
            "pairs_right": f"{sum(one.right for one in pairs)}/{len(pairs)}",
            "seconds_median": round(median(one.seconds for one in named), 2) if named else None,
            "seconds_slowest": round(slowest, 2),
            "seconds_healthy": round(well, 2),
            "conditions_when_healthy": 0,
            "wrong": {
                one.fault.name: f"{one.first} for {one.fault.expect}" for one in named if not one.right
            },
        },
    )


def _try(world: World, fault: Fault) -> Named | None:
    try:
        named = measure(world, fault)
    except (LabError, TimedOutError, OSError) as error:
        # A fault that could not be made, or whose effect never came, was not named either.
        say(f"{fault.name}: not measured: {error}")
        named = Named(fault, f"not measured: {error}", 0.0, right=False)
    verdict = "right" if named.right else f"WRONG, expected {fault.expect}"
    say(f"{fault.name}: {named.first} ({named.seconds:.1f} s) {verdict} {' '.join(named.others)}")
    try:
        wait_until_healthy(world)
    except TimedOutError as error:
        # What does not heal by itself is a fault of ours; the rest of the list is to be heard nevertheless.
        say(f"{fault.name}: did not heal: {error}")
        named = replace(named, first=f"did not heal: {error}", right=False)
        world.devices[EDGE].stop()
        world.devices[EDGE].start()
        wait_until_healthy(world)
    return named


def measure(world: World, fault: Fault) -> Named:
    """Inject, wait for the effect, ask the doctor once, take it back."""
    with fault.inject(world):
        if fault.settled is not None:
            settled = fault.settled
            until(lambda: settled(world), f"the effect of {fault.name}", _SETTLED_WITHIN, 0.5)
        started = time.monotonic()
        answer, code = ask_doctor(world, fault)
        seconds = time.monotonic() - started
    found = answer.get("conditions", [])
    first = str(answer.get("first"))
    kind = KINDS.get(first)
    acts = (
        bool(found)
        and kind is not None
        and found[0]["remedy"].startswith(kind.en.action[:10].partition("{")[0])
    )
    # A note about a neighbour makes nobody ill; all else has to show in the exit code.
    ends = (0,) if kind is not None and kind.severity is Severity.INFO else (1, 4)
    right = first == fault.expect and acts and code in ends
    return Named(fault, first, seconds, right, tuple(one["code"] for one in found[1:]))


def ask_doctor(world: World, fault: Fault | None = None) -> tuple[dict[str, Any], int]:
    """`orillo doctor -o json` on the edge: its answer, and the exit code."""
    device = world.devices[EDGE]
    installation = device.installation
    if fault is not None and fault.fresh:
        installation = installation.at(device.root / "fresh")
    command = installation.command("doctor", "-o", "json")
    mounts = "".join(_mount(world, *mount) for mount in (fault.mounts if fault else ()))
    env = environment() | {name: _filled(value) for name, value in (fault.env if fault else ())}
    result = attempt("sh", "-c", f'{mounts} exec "$@"', "sh", *command, ns=device.ns, env=env, timeout=40)
    shutil.rmtree(device.root / "fresh", ignore_errors=True)
    try:
        answer = json.loads(result.out)
    except ValueError as error:
        raise LabError(f"orillo doctor gave no answer: {result.text}") from error
    return answer, result.code


def _filled(value: str) -> str:
    return faketime() if value == "{faketime}" else value


def _mount(world: World, what: str, where: str) -> str:
    """In the mount namespace that `ip netns exec` made for this one command."""
    if what == "/nonexistent":
        return f"mount -t tmpfs lab-fault {where};"
    return f"mount --bind {what.format(workdir=world.workdir)} {where};"


def wait_until_healthy(world: World) -> float:
    """Wait until the doctor finds nothing; how long that last examination took, in seconds."""
    last: dict[str, Any] = {}

    def healthy() -> float | None:
        started = time.monotonic()
        last.update(ask_doctor(world)[0])
        seconds = time.monotonic() - started
        # A plan on trial would be blamed for the next fault, and undone.
        return (
            seconds if not last["conditions"] and not world.devices[EDGE].status().get("on_trial") else None
        )

    def why() -> str:
        return ", ".join(f"{one['code']} ({one['evidence']})" for one in last.get("conditions", []))

    return float(until(healthy, "the doctor finds nothing", _HEALTHY_WITHIN, 0.5, why) or 0.0)
