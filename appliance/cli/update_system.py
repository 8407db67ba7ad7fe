# SPDX-License-Identifier: Apache-2.0
"""`orillo update FILE.raucb`: on an image of ours, put a new system into the idle slot and start it."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from appliance.cli.daemon_bootloader import booted_slot
from appliance.cli.errors import CliError, Exit
from appliance.host import trial
from appliance.host.slots import BootEntries
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.processes import run as call
from appliance.paths import Paths
from appliance.update.agent import Agent
from appliance.update.download import Listener, discard, fetch, is_url
from appliance.update.manifest import ReleaseError

SUFFIX = ".raucb"
#: Told bytes that are here, and bytes in all.
Progress = Callable[[int, int], None]
#: Writing a whole system to a slow card.
_PATIENCE = 3600.0
#: No system is larger than its partition.
_LARGEST = 1 << 30
_SQUASHFS = b"hsqs"
_LAST_ERROR = ("de.pengutronix.rauc", "/", "de.pengutronix.rauc.Installer", "LastError")


def run(paths: Paths, source: str, progress: Progress, *, restart: bool) -> int:
    """RAUC believes the bundle by its signature, and writes only blocks that the idle slot has not."""
    slot = booted_slot()
    _refuse_trial(paths, slot)
    agent = Agent(paths)
    worked = agent.what_works()
    with _here(paths, source, progress) as bundle:
        print(f"installing beside system {slot}, which stays as it is", flush=True)
        # Before the first change: a power cut right after the last one must not lose what worked.
        trial.begin(paths, slot, worked | agent.what_works())
        try:
            asyncio.run(call("rauc", "install", bundle, timeout=_PATIENCE))
        except DoorError as error:
            trial.end(paths)
            raise CliError(f"the update is refused, and nothing has changed: {_reason(error)}") from error
    if restart:
        print("restarting into the new system; it has to work as this one does, or this one comes back")
        asyncio.run(call("systemctl", "reboot"))
    else:
        print("the new system is tried at the next restart")
    return Exit.OK


def _refuse_trial(paths: Paths, slot: str) -> None:
    """The idle slot holds the way back of a system on trial, and RAUC notes one thing at a time."""
    if BootEntries(paths.esp).is_on_trial(slot):
        raise CliError(
            f"system {slot} is new and on trial itself: wait some minutes until it is kept "
            "(`journalctl -u orillo-good`), then update"
        )


@contextmanager
def _here(paths: Paths, source: str, progress: Progress) -> Iterator[str]:
    """The bundle as a file. What was fetched is gone afterwards; what is fetched in part stays to go on with.

    Debian's RAUC is built without streaming, and would keep what it fetches in memory.
    """
    if not is_url(source):
        yield os.path.abspath(source)  # noqa: PTH100 -- symbolic links stay
        return
    file = fetch(source, paths.host_state / "download", Listener(progress, _refuse_no_bundle), _LARGEST)
    try:
        yield str(file)
    finally:
        discard(file)


def _refuse_no_bundle(file: Path) -> None:
    """As soon as its first bytes are here: the page of a captive portal, say."""
    with file.open("rb") as handle:
        if handle.read(len(_SQUASHFS)) != _SQUASHFS:
            raise ReleaseError(
                "what comes from there is no update bundle: look at the address with a browser"
            )


def _reason(error: DoorError) -> str:
    """What RAUC says of it; its command only tells that it failed."""
    with suppress(DoorError, ValueError):
        said = asyncio.run(call("busctl", "get-property", *_LAST_ERROR)).decode(errors="replace")
        return str(json.loads(said.strip().partition(" ")[2])) or str(error)
    return str(error)
