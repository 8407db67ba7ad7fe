# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud plan`: what a device is told."""

import argparse
from typing import Any

from cloud.cli.client import ask
from cloud.cli.output import print_json, print_table
from cloud.cli.verb import add_output
from cloud.faults import Exit
from cloud.paths import CloudPaths


def declare(parser: argparse.ArgumentParser) -> None:
    """`show`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="show")
    show = actions.add_parser("show", help="the plan of one device")
    show.add_argument("name", metavar="NAME")
    add_output(show)


def run(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    """The signed document, or its outline for people."""
    plan = ask(paths, "plan-show", name=arguments.name)
    if arguments.output == "json":
        print_json(plan)
        return Exit.OK
    place = plan["place"]
    name = plan["identity"]["name"]
    print(f"Plan {plan['generation']} of {name}, made {plan['issued_at']} by {plan['author']}")
    print(f"Digest:   {plan['digest']}")
    print(f"Role:     {place['role']}, site {place['site']}")
    print(f"Prefixes: {', '.join(plan['prefixes'])}")
    print(f"Overlay:  {', '.join(plan['overlay'])}")
    print(f"Groups:   {', '.join(plan['groups']) or '-'}")
    print(f"Services: {', '.join(sorted(plan['services'])) or '-'}")
    print()
    peers = [_peer(name, peer) for name, peer in sorted(plan["peers"].items())]
    print_table(("PEER", "ROLE", "PATHS", "PRIORITY", "ADDRESSES", "PREFIXES"), peers)
    return Exit.OK


def _peer(name: str, peer: dict[str, Any]) -> tuple[object, ...]:
    addresses = ", ".join([*peer.get("addresses", ()), *peer.get("underlay", ())])
    return (
        name,
        peer["role"],
        ", ".join(peer.get("paths", ["hub"])),
        peer.get("priority"),
        addresses,
        ", ".join(peer.get("prefixes", ())),
    )
