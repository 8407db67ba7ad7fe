# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud serve`: the operator, in the foreground, with its log on stderr."""

import argparse
import time
from pathlib import Path

from cloud.app import App
from cloud.cli.logs import log_to_stderr
from cloud.cluster import follow_cluster
from cloud.endpoint.server import run as serve
from cloud.endpoint.sockets import ListenError
from cloud.faults import CommandError, Exit
from cloud.paths import CloudPaths
from cloud.settings import read_settings
from cloud.source.access import Access, AccessError, from_kubeconfig, in_cluster
from cloud.store.lock import WriterLock

#: Another verb may hold the lock for a moment; seconds.
_PATIENCE = 5.0
_PAUSE = 0.05


def declare(parser: argparse.ArgumentParser) -> None:
    """Where the manifests are; the settings say everything else."""
    parser.add_argument(
        "--kubernetes",
        action="store_true",
        help="follow the objects of a Kubernetes API, and write status back",
    )
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="how to reach it; by default as the pod that this runs in",
    )


def run(asked: argparse.Namespace, paths: CloudPaths) -> int:
    """Serve until told to end."""
    read_settings(paths.settings)
    access = _access(asked)
    log_to_stderr()
    with _lock(paths):
        app = App.open(paths)
        try:
            app.refresh()
            if access:
                app.follows = access.server
            serve(app, paths, follow_cluster(app, access) if access else None)
        except ListenError as error:
            raise CommandError(str(error), Exit.CANNOT_RUN) from error
        finally:
            app.store.close()
    return Exit.OK


def _access(asked: argparse.Namespace) -> Access | None:
    if not asked.kubernetes:
        if asked.kubeconfig:
            raise CommandError("--kubeconfig says nothing without --kubernetes: give both", Exit.USAGE)
        return None
    try:
        return from_kubeconfig(asked.kubeconfig) if asked.kubeconfig else in_cluster()
    except AccessError as error:
        raise CommandError(str(error), Exit.CANNOT_RUN) from error


def _lock(paths: CloudPaths) -> WriterLock:
    deadline = time.monotonic() + _PATIENCE
    while (lock := WriterLock.take(paths.lock)) is None:
        if time.monotonic() > deadline:
            message = f"another orillo-cloud serves here already (it holds {paths.lock}): end it first"
            raise CommandError(message, Exit.CANNOT_RUN)
        time.sleep(_PAUSE)
    return lock
