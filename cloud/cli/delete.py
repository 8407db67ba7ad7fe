# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud delete`: forget an object."""

import argparse

from cloud.cli.client import ask, author
from cloud.cli.output import print_json
from cloud.cli.verb import add_output
from cloud.faults import Exit
from cloud.paths import CloudPaths


def declare(parser: argparse.ArgumentParser) -> None:
    """Which object."""
    parser.add_argument("kind", metavar="KIND", help="node, service, endpointslice, community or device")
    parser.add_argument("name", metavar="NAME", help="NAME or NAMESPACE/NAME")
    add_output(parser)


def run(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    """Forget it, and say whose plans that changed."""
    result = ask(paths, "delete", kind=arguments.kind, name=arguments.name, author=author())
    if arguments.output == "json":
        print_json(result)
        return Exit.OK
    place = f"{result['namespace']}/" if result["namespace"] else ""
    print(f"{result['kind']} {place}{result['name']} deleted")
    print(f"New plans: {', '.join(result['devices']) or 'none'}")
    return Exit.OK
