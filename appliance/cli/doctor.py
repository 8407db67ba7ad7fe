# SPDX-License-Identifier: Apache-2.0
"""`orillo doctor`: look at everything, and name the first cause and what to do about it."""

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from appliance.checks.all import CHECKS, Progress, examine
from appliance.checks.box import Box, Check, open_box
from appliance.cli.doctor_words import VERDICT, label, language, render
from appliance.cli.errors import need_root
from appliance.cli.text import print_json
from appliance.netcore.health.condition import Condition, worst
from appliance.netcore.health.engine import conclude
from appliance.netcore.health.kind import Finding
from appliance.netcore.health.words import Language
from appliance.netcore.plan.values import builtins
from appliance.paths import Paths


def run(paths: Paths, *, json: bool) -> int:
    """Examine this device; the exit code is the verdict."""
    need_root("doctor")
    started = time.monotonic()
    tongue = language()
    progress = _Line(tongue) if sys.stderr.isatty() and not json else _nothing
    findings, who = asyncio.run(_examine(paths, progress))
    if isinstance(progress, _Line):
        progress.clear()
    conditions = conclude(findings)
    health, code = VERDICT[worst(conditions)]
    seconds = time.monotonic() - started
    if json:
        print_json(_document(conditions, health, who, seconds))
        return code
    took = label("took", tongue).format(count=len(CHECKS), seconds=seconds)
    print(f"{who}: {health}  ({took})")
    if conditions:
        print()
        for line in render(conditions, tongue):
            print(line)
    else:
        print(label("well", tongue).format(count=len(CHECKS)))
    return code


def _document(conditions: Sequence[Condition], health: str, who: str, seconds: float) -> dict[str, object]:
    return {
        "at": datetime.now(UTC),
        "device": who,
        "health": health,
        "first": conditions[0].code if conditions else None,
        "conditions": builtins(tuple(conditions)),
        "checks": [check.name for check in CHECKS],
        "seconds": round(seconds, 2),
    }


async def _examine(paths: Paths, progress: Progress) -> tuple[list[Finding], str]:
    box = open_box(paths)
    try:
        return await examine(box, CHECKS, progress), _who(box)
    finally:
        await box.close()


def _who(box: Box) -> str:
    if box.held.device is None:
        return "this device"
    identity = box.held.device.identity
    role = f" ({box.role})" if box.role else ""
    return f"{identity.name}{role} in {identity.cluster}"


def _nothing(_check: Check, _found: Sequence[Finding]) -> None:
    """Nobody watches."""


class _Line:
    """One line of progress, written over: how many checks are done, and which one was the last."""

    def __init__(self, tongue: Language) -> None:
        self._place = 0 if tongue is Language.ENGLISH else 1
        self._done = 0

    def __call__(self, check: Check, found: Sequence[Finding]) -> None:
        self._done += 1
        mark = "!" if found else " "
        text = f"[{self._done:2}/{len(CHECKS)}] {mark} {check.title[self._place]}"
        sys.stderr.write(f"\r{text:<60}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Leave the line empty for what follows."""
        sys.stderr.write(f"\r{' ' * 60}\r")
        sys.stderr.flush()
