# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud serve`: the operator, in the foreground, with its log on stderr."""

import argparse
import asyncio
import os
import time
from pathlib import Path

from cloud.app import App, utc_now
from cloud.cli.logs import log_to_stderr
from cloud.cluster import follow_cluster
from cloud.endpoint.server import run as serve
from cloud.endpoint.sockets import ListenError
from cloud.faults import CommandError, Exit
from cloud.files import make_private_directory
from cloud.paths import CloudPaths
from cloud.replicas.keys import KeysError, settle_keys
from cloud.replicas.shared import Shared
from cloud.settings import Settings, read_settings
from cloud.source.access import Access, AccessError, from_kubeconfig, in_cluster
from cloud.source.api import Api, ApiError
from cloud.store.lock import WriterLock

#: Another verb may hold the lock for a moment; seconds.
_PATIENCE = 5.0
_PAUSE = 0.05
#: What the manifest puts the pod's own address into.
_POD_ADDRESS = "POD_IP"


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
    settings = read_settings(paths.settings)
    access = _access(asked)
    log_to_stderr()
    if access:
        make_private_directory(paths.state)
    with _lock(paths):
        if access:
            _settle(access, paths, settings)
        app = App.open(paths)
        try:
            if access:
                app.follows = access.server
                app.share(Shared())
            app.refresh()
            beside = follow_cluster(app, access, paths.links, _reached(settings)) if access else None
            serve(app, paths, beside)
        except ListenError as error:
            raise CommandError(str(error), Exit.CANNOT_RUN) from error
        finally:
            app.store.close()
    return Exit.OK


def _settle(access: Access, paths: CloudPaths, settings: Settings) -> None:
    """Have the keys that all replicas have."""

    async def settle() -> None:
        api = Api(access)
        try:
            await settle_keys(api, access.namespace, paths, settings.cluster, utc_now())
        finally:
            await api.close()

    try:
        asyncio.run(settle())
    except (KeysError, ApiError, OSError) as error:
        raise CommandError(f"no keys: {error}", Exit.CANNOT_RUN) from error


def _reached(settings: Settings) -> str:
    """Where this replica is, for the Lease to tell: its pod's address, or the one that it listens at."""
    host = os.environ.get(_POD_ADDRESS) or settings.listen
    port = settings.control_port
    return "" if not host else f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
