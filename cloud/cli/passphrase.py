# SPDX-License-Identifier: Apache-2.0
"""The option that names a file with a passphrase: all users of a machine can read its command lines."""

import argparse
from pathlib import Path

from cloud.faults import CommandError, Exit


def add_passphrase(parser: argparse.ArgumentParser, what: str) -> None:
    """`--passphrase-file`."""
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help=what)


def passphrase_of(arguments: argparse.Namespace) -> str:
    """The first line of the file; empty if none was named. Raises `CommandError`."""
    file: Path | None = arguments.passphrase_file
    if file is None:
        return ""
    lines = file.read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0]:
        raise CommandError(f"{file} has no passphrase in its first line: write one there", Exit.USAGE)
    return lines[0]
