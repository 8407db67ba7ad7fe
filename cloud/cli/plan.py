# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud plan`: what a device is told, also before it ever asked."""

import argparse
from pathlib import Path
from typing import Any

from cloud.cli.client import ask, author
from cloud.cli.output import print_json, print_table
from cloud.cli.verb import add_output
from cloud.faults import Exit
from cloud.paths import CloudPaths


def declare(parser: argparse.ArgumentParser) -> None:
    """`show`, `site` and `key`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="show|site|key")
    show = actions.add_parser("show", help="the plan of one device")
    show.add_argument("name", metavar="NAME")
    add_output(show)
    site = actions.add_parser(
        "site",
        help="a signed plan to carry to a device that is not enrolled: its site runs without the cloud",
    )
    site.add_argument("name", metavar="NAME", help="the device's node")
    site.add_argument("file", type=Path, metavar="FILE", help="where to write it; - is stdout")
    add_output(site)
    add_output(actions.add_parser("key", help="the public key that devices believe plans by"))


def run(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    """Do what was asked."""
    return {"show": _show, "site": _site, "key": _key}[arguments.action](arguments, paths)


def _site(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    """Write the document as it was signed, and say how the device comes to believe it."""
    made = ask(paths, "plan-site", name=arguments.name, author=author())
    document = made.pop("document")
    if str(arguments.file) == "-":
        print(document)
        return Exit.OK
    arguments.file.write_text(document)
    if arguments.output == "json":
        print_json(made | {"file": str(arguments.file)})
        return Exit.OK
    print(f"Plan {made['generation']} for {made['name']}, in {arguments.file}")
    print(f"Prefixes: {', '.join(made['prefixes'])}")
    print(f"Services: {', '.join(made['services']) or '-'}")
    print(f"At the device: orillo plan import {arguments.file.name} --key {made['plan_key']}")
    print("On the partition BOOTCONFIG of its card, beside the file, in orillo.toml:")
    print(f'plan = "{arguments.file.name}"')
    print(f'plan_key = "{made["plan_key"]}"')
    return Exit.OK


def _key(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    key = ask(paths, "plan-key")
    if arguments.output == "json":
        print_json(key)
    else:
        print(key["plan_key"])
    return Exit.OK


def _show(arguments: argparse.Namespace, paths: CloudPaths) -> int:
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
