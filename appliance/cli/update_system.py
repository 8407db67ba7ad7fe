# SPDX-License-Identifier: Apache-2.0
"""`orillo update FILE.raucb`: on an image of ours, put a new system into the idle slot and start it."""

import asyncio
import os

from appliance.cli.daemon_bootloader import booted_slot
from appliance.cli.errors import CliError, Exit
from appliance.host import trial
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.processes import run as call
from appliance.paths import Paths
from appliance.update.agent import Agent

SUFFIX = ".raucb"
#: A whole system over a poor line; RAUC asks again for what a cut connection did not bring.
_PATIENCE = 6 * 3600.0


def run(paths: Paths, source: str, *, restart: bool) -> int:
    """RAUC believes the bundle by its signature, and fetches only blocks that neither slot has."""
    slot = booted_slot()
    where = source if "://" in source else os.path.abspath(source)  # noqa: PTH100 -- a URL is no path
    print(f"installing beside system {slot}, which stays as it is", flush=True)
    try:
        asyncio.run(call("rauc", "install", where, timeout=_PATIENCE))
    except DoorError as error:
        raise CliError(f"the update is refused, and nothing has changed: {error}") from error
    trial.begin(paths, slot, Agent(paths).look().working)
    if restart:
        print("restarting into the new system; it has to work as this one does, or this one comes back")
        asyncio.run(call("systemctl", "reboot"))
    else:
        print("the new system is tried at the next restart")
    return Exit.OK
