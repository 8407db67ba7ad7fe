# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud restore FILE`: the operator of a backup, in the place of one that was lost."""

import argparse
import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cloud.app import utc_now
from cloud.backup import BackupError, in_the_way, put_back, unpack
from cloud.ca.sealing import SealError, is_sealed, unseal
from cloud.cli.output import print_json, warn
from cloud.cli.passphrase import add_passphrase, passphrase_of
from cloud.cli.verb import add_output
from cloud.faults import CommandError, Exit
from cloud.files import make_private_directory
from cloud.paths import CloudPaths
from cloud.replicas.founding import found
from cloud.replicas.keys import KeysError, restore_keys
from cloud.settings import read_settings
from cloud.source.access import NAMESPACE, Access, AccessError, from_kubeconfig, in_cluster
from cloud.source.api import Api, ApiError
from cloud.store.lock import WriterLock
from cloud.store.store import Store

_SINCE = (
    "what was revoked or enrolled after the backup is not known any more: revoke again, enrol again; "
    "tokens that were open are void"
)


def declare(parser: argparse.ArgumentParser) -> None:
    """Where from."""
    parser.add_argument("file", metavar="FILE", type=Path, help="what `orillo-cloud backup` wrote")
    add_passphrase(parser, "the passphrase that it was encrypted with")
    parser.add_argument(
        "--kubernetes",
        action="store_true",
        help="into the Secret and the Ledgers of a cluster, before its operator is started",
    )
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="with --kubernetes: how to reach it, as an administrator",
    )
    parser.add_argument(
        "--namespace",
        default=NAMESPACE,
        metavar="NAME",
        help=f"with --kubernetes: the operator's ({NAMESPACE})",
    )
    add_output(parser)


def run(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    """Only where there is no operator: nothing is overwritten."""
    try:
        parts = unpack(_opened(arguments))
    except (BackupError, SealError) as error:
        raise CommandError(f"{arguments.file}: {error}", Exit.CANNOT_RUN) from error
    if arguments.kubernetes:
        return _to_cluster(arguments, parts)
    if there := in_the_way(paths):
        remedy = "take that away first, or give another --root"
        raise CommandError(f"there is an operator here already: {there} exists; {remedy}", Exit.CANNOT_RUN)
    make_private_directory(paths.state)
    lock = WriterLock.take(paths.lock)
    if lock is None:
        raise CommandError(f"another orillo-cloud holds {paths.lock}: end it first", Exit.CANNOT_RUN)
    with lock:
        put_back(paths, parts, utc_now())
    settings = read_settings(paths.settings)
    warn([_SINCE])
    if arguments.output == "json":
        print_json({"cluster": settings.cluster, "control_url": settings.control_url})
    else:
        print(
            f"Restored the operator of {settings.cluster}. Its devices look for it at {settings.control_url}."
        )
        print("Next: orillo-cloud serve")
    return Exit.OK


def _to_cluster(arguments: argparse.Namespace, parts: Mapping[str, bytes]) -> int:
    """What the backup has, for an operator of several replicas; the cluster's own objects are not touched."""
    try:
        access = from_kubeconfig(arguments.kubeconfig) if arguments.kubeconfig else in_cluster()
        with tempfile.TemporaryDirectory(prefix="orillo-restore-") as folder:
            paths = CloudPaths(Path(folder))
            put_back(paths, parts, utc_now())
            asyncio.run(_share(replace(access, namespace=arguments.namespace), paths))
            settings = read_settings(paths.settings)
    except (AccessError, ApiError, KeysError) as error:
        raise CommandError(str(error), Exit.CANNOT_RUN) from error
    warn([_SINCE])
    if arguments.output == "json":
        print_json({"cluster": settings.cluster, "control_url": settings.control_url})
    else:
        print(f"The keys and the devices of {settings.cluster} are in the cluster at {access.server}.")
        print(f"Next: start its operator as that of {settings.cluster}, reached at {settings.control_url}")
    return Exit.OK


async def _share(access: Access, paths: CloudPaths) -> None:
    api = Api(access)
    store = Store.open(paths.database)
    try:
        await restore_keys(api, access.namespace, paths)
        await found(api, store)
    finally:
        store.close()
        await api.close()


def _opened(arguments: argparse.Namespace) -> bytes:
    content: bytes = arguments.file.read_bytes()
    if not is_sealed(content):
        return content
    passphrase = passphrase_of(arguments)
    if not passphrase:
        raise CommandError(f"{arguments.file} is encrypted: give --passphrase-file", Exit.USAGE)
    return unseal(content, passphrase)
