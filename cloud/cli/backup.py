# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud backup FILE`: all that the operator can't be without, while it runs or not."""

import argparse
import base64
import sys
from pathlib import Path

from cloud.app import utc_now
from cloud.backup import pack
from cloud.ca.sealing import seal
from cloud.cli.client import ask
from cloud.cli.output import print_json, warn
from cloud.cli.passphrase import add_passphrase, passphrase_of
from cloud.cli.verb import add_output
from cloud.faults import Exit
from cloud.files import write_atomic
from cloud.paths import CloudPaths
from cloud.settings import read_settings

_CLEAR = "{file} holds the CA's private key in clear: whoever reads it can be any device, and name new ones"


def declare(parser: argparse.ArgumentParser) -> None:
    """Where to."""
    parser.add_argument("file", metavar="FILE", type=Path, help="made with mode 0600; - is stdout")
    add_passphrase(parser, "encrypt it for the holders of this passphrase")
    add_output(parser)


def run(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    """Ask for the store, and take the files beside it."""
    settings = read_settings(paths.settings)
    passphrase = passphrase_of(arguments)
    store = base64.b64decode(ask(paths, "store-copy")["store"])
    packed = pack(paths, store, settings.cluster, utc_now())
    content = seal(packed, passphrase) if passphrase else packed
    if str(arguments.file) == "-":
        sys.stdout.buffer.write(content)
        return Exit.OK
    write_atomic(arguments.file.absolute(), content, 0o600)
    if not passphrase:
        warn([_CLEAR.format(file=arguments.file)])
    if arguments.output == "json":
        print_json({"file": str(arguments.file), "bytes": len(content), "encrypted": bool(passphrase)})
    else:
        print(f"Wrote {arguments.file}: the operator of {settings.cluster}, {len(content)} bytes.")
    return Exit.OK
