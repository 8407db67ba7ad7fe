# SPDX-License-Identifier: Apache-2.0
"""`orillo preflight [TOKEN]`: is this box ready, and does its network let a device work?"""

import asyncio
import sys

from appliance.checks.box import open_box
from appliance.checks.preflight import Line, look
from appliance.cli.doctor_words import VERDICT, language, render, wrap
from appliance.cli.errors import need_root
from appliance.cli.text import print_json
from appliance.netcore.health.condition import worst
from appliance.netcore.health.engine import conclude
from appliance.netcore.health.kind import Finding
from appliance.netcore.plan.token import Token, parse_token
from appliance.netcore.plan.values import builtins
from appliance.paths import Paths


def run(paths: Paths, text: str | None, *, json: bool) -> int:
    """Look, and say; the exit code is the verdict. Nothing is changed, and no token is spent."""
    need_root("preflight")
    token = parse_token(sys.stdin.readline() if text == "-" else text) if text else None
    lines, findings = asyncio.run(_look(paths, token))
    conditions = conclude(findings)
    health, code = VERDICT[worst(conditions)]
    if json:
        facts = [{"what": line.what, "ok": line.ok, "value": line.value} for line in lines]
        print_json({"health": health, "facts": facts, "conditions": builtins(tuple(conditions))})
        return code
    for line in lines:
        mark = "ok" if line.ok else "NO"
        print("\n".join(wrap(line.value, f"{mark:3} {line.what:16} ", " " * 21)))
    if token is None:
        print("\nWith a token, the way to its control endpoint and hubs is tried too.")
    if conditions:
        print()
        for shown in render(conditions, language()):
            print(shown)
    else:
        print("\nThis box is ready.")
    return code


async def _look(paths: Paths, token: Token | None) -> tuple[list[Line], list[Finding]]:
    box = open_box(paths)
    try:
        return await look(box, token)
    finally:
        await box.close()
