# SPDX-License-Identifier: Apache-2.0
"""`orillo daemon good`: on an image of ours, keep a system that is on trial, or start the one before."""

import asyncio
import time

from appliance.cli.daemon_bootloader import booted_slot
from appliance.cli.errors import Exit, need_root
from appliance.host import trial as before
from appliance.host.slots import BootEntries
from appliance.netcore.kernel.processes import run as call
from appliance.paths import Paths
from appliance.trial import Patience, Sign, Trial, Verdict, lost, step
from appliance.update.agent import Agent

#: Seconds with a link up that a new system may take to work as the one before, and that it must then work.
_PATIENCE = Patience(within=300.0, settle=15.0)
_EVERY = 2.0
#: Seconds for RAUC to note a verdict; on a slow card beside a starting system it took more than ten.
_NOTED = 180.0


def run(paths: Paths) -> int:
    """Exit 0 if the system stays; 1 if the one before is started instead."""
    need_root("daemon good")
    slot = booted_slot()
    if not BootEntries(paths.esp).is_on_trial(slot):
        return Exit.OK
    worked = before.begun(paths)
    print(f"system {slot} is on trial; before the update worked: {', '.join(sorted(worked))}")
    cost = _judge(paths, slot, worked)
    verdict = "bad" if cost else "good"
    asyncio.run(call("rauc", "status", f"mark-{verdict}", "booted", timeout=_NOTED))
    # Only now: at a start before the verdict was noted, the same is expected of the system again.
    before.end(paths)
    if not cost:
        print(f"system {slot} works as the one before did, and stays")
        return Exit.OK
    print(f"system {slot} costs this device {cost}: starting the one before")
    asyncio.run(call("systemctl", "reboot"))
    return Exit.FAULT


def _judge(paths: Paths, slot: str, worked: frozenset[Sign]) -> str:
    """What the system on trial costs; nothing, if it is as good as the one before."""
    agent = Agent(paths)
    trial, verdict = Trial(slot, worked, patience=_PATIENCE), Verdict.OPEN
    then = time.monotonic()
    while True:
        time.sleep(_EVERY)
        look, now = agent.look(), time.monotonic()
        excused = Sign.AGENT in look.working and not look.link_up
        trial, verdict = step(trial, look.working, now - then, link_up=not excused)
        then = now
        if verdict is Verdict.KEEP:
            return ""
        if verdict is Verdict.UNDO:
            return lost(trial, look.working)
