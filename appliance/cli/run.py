# SPDX-License-Identifier: Apache-2.0
"""`orillo run`: the daemon, until a signal ends it."""

import asyncio
import signal
from contextlib import suppress

from appliance.cli import logs
from appliance.cli.errors import Exit, need_root
from appliance.paths import Paths
from appliance.run import run as run_daemon
from appliance.settings import Settings, load_settings


def run(paths: Paths) -> int:
    """Run until SIGTERM or SIGINT; what was applied stays, so that a restart is not seen by anybody."""
    settings = load_settings(paths.settings)
    need_root("run")
    logs.start(settings.log)
    with suppress(asyncio.CancelledError):
        asyncio.run(_until_signal(paths, settings))
    return Exit.OK


async def _until_signal(paths: Paths, settings: Settings) -> None:
    task = asyncio.ensure_future(run_daemon(paths, settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    await task
