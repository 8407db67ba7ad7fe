# SPDX-License-Identifier: Apache-2.0
"""`orillo reset`: on an image of ours, back to how the card was flashed, at the next start."""

import asyncio

from appliance.cli.daemon_bootloader import booted_slot
from appliance.cli.daemon_reset import EVERYTHING, KEEP_IDENTITY, RESET
from appliance.cli.errors import Exit, need_root
from appliance.netcore.kernel.files import write_atomic
from appliance.netcore.kernel.processes import run as call
from appliance.paths import Paths


def run(paths: Paths, *, keep_identity: bool, restart: bool) -> int:
    """Ask for it; the start does it, when nothing of ours runs yet. Raises `CliError` on no image."""
    need_root("reset")
    booted_slot()
    write_atomic(paths.host_state / RESET, (KEEP_IDENTITY if keep_identity else EVERYTHING).encode(), 0o600)
    left = "but for its identity and its settings" if keep_identity else "and has to be enrolled anew"
    print(f"at the next start this device forgets everything, {left}")
    if restart:
        asyncio.run(call("systemctl", "reboot"))
    return Exit.OK
