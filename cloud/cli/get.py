# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud get`: what was applied."""

import argparse

from cloud.cli.client import ask
from cloud.cli.output import print_json, print_table
from cloud.cli.verb import add_output
from cloud.faults import Exit
from cloud.paths import CloudPaths


def declare(parser: argparse.ArgumentParser) -> None:
    """Which objects."""
    parser.add_argument("kind", metavar="KIND", help="node, service, endpointslice, community or device")
    parser.add_argument("name", metavar="NAME", nargs="?", help="NAME or NAMESPACE/NAME; without it, all")
    add_output(parser)


def run(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    """A table of them; as JSON, the objects themselves, which `apply` reads back."""
    result = ask(paths, "get", kind=arguments.kind, name=arguments.name)
    if arguments.output == "json":
        print_json(result)
        return Exit.OK
    bodies = [result] if arguments.name else result["items"]
    rows = [
        (body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"], body["apiVersion"])
        for body in bodies
    ]
    print_table(("KIND", "NAMESPACE", "NAME", "APIVERSION"), rows)
    return Exit.OK
