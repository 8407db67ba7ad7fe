# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud serve`: the operator, in the foreground, with its log on stderr."""

import argparse
import time

from cloud.app import App
from cloud.cli.logs import log_to_stderr
from cloud.endpoint.server import run as serve
from cloud.endpoint.sockets import ListenError
from cloud.faults import CommandError, Exit
from cloud.paths import CloudPaths
from cloud.settings import read_settings
from cloud.store.lock import WriterLock

#: Another verb may hold the lock for a moment; seconds.
_PATIENCE = 5.0
_PAUSE = 0.05


def declare(parser: argparse.ArgumentParser) -> None:
    """It has no arguments: the settings say everything."""


def run(_: argparse.Namespace, paths: CloudPaths) -> int:
    """Serve until told to end."""
    read_settings(paths.settings)
    log_to_stderr()
    with _lock(paths):
        app = App.open(paths)
        try:
            app.refresh()
            serve(app, paths)
        except ListenError as error:
            raise CommandError(str(error), Exit.CANNOT_RUN) from error
        finally:
            app.store.close()
    return Exit.OK


def _lock(paths: CloudPaths) -> WriterLock:
    deadline = time.monotonic() + _PATIENCE
    while (lock := WriterLock.take(paths.lock)) is None:
        if time.monotonic() > deadline:
            message = f"another orillo-cloud serves here already (it holds {paths.lock}): end it first"
            raise CommandError(message, Exit.CANNOT_RUN)
        time.sleep(_PAUSE)
    return lock
