# SPDX-License-Identifier: Apache-2.0
"""What every verb's module offers to `main`, and the option that many share."""

import argparse
from typing import Protocol

from cloud.paths import CloudPaths


class Verb(Protocol):
    """A verb's module."""

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's own arguments."""

    def run(self, arguments: argparse.Namespace, paths: CloudPaths) -> int:
        """Do it; the exit code. Raises `CommandError`."""


def add_output(parser: argparse.ArgumentParser) -> None:
    """`-o json`."""
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="what to print")
