# SPDX-License-Identifier: Apache-2.0
"""`orillo daemon bootloader`: RAUC's custom boot loader backend (rauc: "Custom Bootloader Backend").

`get-primary`, `set-primary SLOT`, `get-state SLOT`, `set-state SLOT good|bad`.
"""

import asyncio
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from appliance.cli.errors import CliError, Exit, need_root
from appliance.host.slots import BootEntries
from appliance.netcore.kernel.files import read_text
from appliance.netcore.kernel.processes import run as call
from appliance.paths import Paths

_USAGE = "get-primary, set-primary SLOT, get-state SLOT, set-state SLOT good|bad"


def run(paths: Paths, words: Sequence[str]) -> int:
    """Do one of RAUC's requests."""
    need_root("daemon bootloader")
    entries = BootEntries(paths.esp)
    match list(words):
        case ["get-primary"]:
            print(entries.primary())
        case ["set-primary", slot]:
            with _mounted(slot) as root:
                entries.set_primary(slot, root, booted_slot())
        case ["get-state", slot]:
            print("good" if entries.is_good(slot) else "bad")
        case ["set-state", slot, "good"]:
            entries.set_good(slot)
        case ["set-state", slot, "bad"]:
            entries.set_bad(slot)
        case _:
            raise CliError(f"daemon bootloader takes {_USAGE}", Exit.USAGE)
    return Exit.OK


def booted_slot() -> str:
    """The slot that runs now, by the kernel's command line. Raises `CliError` where there are no slots."""
    found = re.search(r"\brauc\.slot=([ab])\b", read_text(Path("/proc/cmdline")) or "")
    if found is None:
        raise CliError("this system was not started from a slot: it is no image of ours")
    return found[1]


@contextmanager
def _mounted(slot: str) -> Iterator[Path]:
    """The root in `slot`, to read its kernel; the one that runs is mounted already."""
    if slot == booted_slot():
        yield Path("/")
        return
    with tempfile.TemporaryDirectory(prefix="orillo-root-", dir="/run") as directory:
        device = f"/dev/disk/by-partlabel/root-{slot}"
        asyncio.run(call("mount", "-t", "squashfs", "-o", "ro", device, directory))
        try:
            yield Path(directory)
        finally:
            asyncio.run(call("umount", directory))
