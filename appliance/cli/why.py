# SPDX-License-Identifier: Apache-2.0
"""`orillo why A B [PORT]`: the path between two ends, hop by hop, and where it breaks."""

import asyncio

from appliance.checks.box import open_box
from appliance.checks.why import conclusion, walk
from appliance.cli.doctor_words import wrap
from appliance.cli.errors import Exit, need_root
from appliance.cli.text import print_json
from appliance.netcore.plan.values import builtins
from appliance.paths import Paths
from appliance.status.answers import Hop, Walk

_MARKS = {True: "ok", False: "BREAKS", None: "?"}


def run(paths: Paths, a: str, b: str, port: int | None, *, json: bool) -> int:
    """Walk the path; exit code 1 if it breaks."""
    need_root("why")
    found = asyncio.run(_walk(paths, a, b, port, show=not json))
    if json:
        print_json(builtins(found))
    elif found.breaks:
        print(f"\nThe path breaks at: {found.breaks}.")
    else:
        print("\nThe path holds, as far as this device can see.")
    return Exit.FAULT if found.breaks else Exit.OK


async def _walk(paths: Paths, a: str, b: str, port: int | None, *, show: bool) -> Walk:
    box = open_box(paths)
    hops: list[Hop] = []
    try:
        async for hop in walk(box, a, b, port):
            hops.append(hop)
            if show:
                _show(hop)
    finally:
        await box.close()
    return conclusion(a, b, port, tuple(hops))


def _show(hop: Hop) -> None:
    """At once, so that a slow step is seen to be one."""
    lines = wrap(hop.text, f"{_MARKS[hop.ok]:7} {hop.step:9} ", " " * 18)
    if hop.evidence:
        lines += wrap(hop.evidence, " " * 18 + "seen: ", " " * 20)
    if hop.remedy:
        lines += wrap(hop.remedy, " " * 18 + "do: ", " " * 20)
    print("\n".join(lines), flush=True)
