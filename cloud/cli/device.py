# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud device`: list devices, and shut one out."""

import argparse
from typing import Any

from cloud.cli.client import ask, author
from cloud.cli.output import print_json, print_table
from cloud.cli.verb import add_output
from cloud.faults import Exit
from cloud.paths import CloudPaths

_HEADINGS = ("NAME", "ROLE", "SITE", "STATE", "INSTANCE", "PLAN", "APPLIED", "TUNNELS", "IPSEC", "LAST-SEEN")


def declare(parser: argparse.ArgumentParser) -> None:
    """`list` and `revoke`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|revoke")
    add_output(actions.add_parser("list", help="every device, and what it says of itself"))
    revoke = actions.add_parser("revoke", help="take a device's identity away: it is lost, stolen or retired")
    revoke.add_argument("name", metavar="NAME")
    add_output(revoke)


def run(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    """Do what was asked."""
    if arguments.action == "revoke":
        result = ask(paths, "device-revoke", name=arguments.name, author=author())
        if arguments.output == "json":
            print_json(result)
        else:
            print(f"{result['name']} is revoked. A new token lets it in again as another identity.")
        return Exit.OK
    result = ask(paths, "device-list")
    if arguments.output == "json":
        print_json(result)
    else:
        print_table(_HEADINGS, [_row(device) for device in result["devices"]])
    return Exit.OK


def _row(device: dict[str, Any]) -> tuple[object, ...]:
    report = device["report"] or {}
    known = [device[key] for key in ("name", "role", "site", "state", "instance", "generation")]
    tunnels = report.get("tunnels", {}).values()
    up = f"{sum(tunnel['up'] for tunnel in tunnels)}/{len(tunnels)}" if tunnels else None
    return (*known, report.get("generation"), up, report.get("ipsec"), device["last_seen"])
