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
    """Exit code 0 if A may open connections to B, 1 if not."""
    result = ask(paths, "explain", a=arguments.a, b=arguments.b)
    if arguments.output == "json":
        print_json(result)
    else:
        _tell(result)
    return Exit.OK if result["allowed"] else Exit.FAULT


def _tell(result: dict[str, Any]) -> None:
    word = "may" if result["allowed"] else "may not"
    back = "it may" if result["back"] else "it may not"
    unready = " (but can't yet)" if result["allowed"] and not result["reachable"] else ""
    if result["allowed"] == result["back"]:
        print(f"{result['a']} and {result['b']} {word} reach each other{unready}.")
    else:
        print(f"{result['a']} {word} open connections to {result['b']}{unready}; the other way round {back}.")
    for reason in result["reasons"]:
        print(f"  {'yes' if reason['ok'] else 'NO ':3}  {reason['step']}: {reason['text']}")
        if reason["remedy"]:
            print(f"       {reason['remedy']}")
