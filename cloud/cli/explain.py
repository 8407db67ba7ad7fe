# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud explain`: whether two devices may talk, and why."""

import argparse
from typing import Any

from cloud.cli.client import ask
from cloud.cli.output import print_json
from cloud.cli.verb import add_output
from cloud.faults import Exit
from cloud.paths import CloudPaths


def declare(parser: argparse.ArgumentParser) -> None:
    """The two."""
    parser.add_argument("a", metavar="A", help="a node")
    parser.add_argument("b", metavar="B", help="another")
    add_output(parser)


def run(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    """Exit code 0 if each may open connections to the other, 1 if not."""
    result = ask(paths, "explain", a=arguments.a, b=arguments.b)
    if arguments.output == "json":
        print_json(result)
    else:
        _tell(result)
    return Exit.OK if result["allowed"] else Exit.FAULT


def _tell(result: dict[str, Any]) -> None:
    word = "may" if result["allowed"] else "may not"
    unready = " (but can't yet)" if result["allowed"] and not result["reachable"] else ""
    print(f"{result['a']} and {result['b']} {word} reach each other{unready}.")
    for reason in result["reasons"]:
        print(f"  {'yes' if reason['ok'] else 'NO ':3}  {reason['step']}: {reason['text']}")
        if reason["remedy"]:
            print(f"       {reason['remedy']}")
