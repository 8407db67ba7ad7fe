# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud token`: make, list and revoke enrolment tokens."""

import argparse
import json
import re
from pathlib import Path

from cloud.cli.client import ask, author
from cloud.cli.output import print_json, print_table, warn
from cloud.cli.verb import add_output
from cloud.commands import LONGEST_TTL
from cloud.faults import Exit
from cloud.paths import CloudPaths

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def declare(parser: argparse.ArgumentParser) -> None:
    """`create`, `list` and `revoke`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="create|list|revoke")
    create = actions.add_parser("create", help="let a device enrol, once, or several")
    whom = create.add_mutually_exclusive_group(required=True)
    whom.add_argument("--name", metavar="NODE", help="the device's node")
    whom.add_argument(
        "--replace", metavar="NODE", help="for a device that takes this one's place: it is revoked at once"
    )
    whom.add_argument(
        "--pattern",
        metavar="PATTERN",
        help="for several devices, which say who they are; 'node-*' is all whose names begin so",
    )
    create.add_argument(
        "--uses", type=int, default=1, metavar="N", help="how many devices a token for several lets in (1)"
    )
    create.add_argument(
        "--object",
        type=Path,
        metavar="FILE",
        help="write an EnrollToken for `kubectl apply` to FILE, and keep the token nowhere else",
    )
    create.add_argument("--ttl", type=_seconds, default=3600, metavar="TIME", help="how long it works (1h)")
    add_output(create)
    add_output(actions.add_parser("list", help="every token, without its secret"))
    revoke = actions.add_parser("revoke", help="let nobody in by a token any more")
    revoke.add_argument("id", metavar="ID", help="as the list has it")
    add_output(revoke)


def run(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    """Do what was asked; a new token's text stands alone on the last line."""
    if arguments.action == "list":
        return _list(arguments, paths)
    if arguments.action == "revoke":
        return _revoke(arguments, paths)
    name, replaces = arguments.replace or arguments.pattern or arguments.name, bool(arguments.replace)
    wish = {"name": name, "ttl": arguments.ttl, "replace": replaces, "uses": arguments.uses}
    wish["as_object"] = arguments.object is not None
    result = ask(paths, "token-create", author=author(), **wish)
    warn(result["warnings"])
    if arguments.object:
        arguments.object.write_text(json.dumps(result["object"], indent=2) + "\n")
    if arguments.output == "json":
        print_json(result)
        return Exit.OK
    if replaces:
        print(f"{name} is revoked: what had its name has no plan and no tunnel any more.")
    times = "once" if result["uses"] == 1 else f"{result['uses']} times"
    print(f"Token {result['id']} for {result['name']}, works {times} until {result['expires']}:")
    print(result["token"])
    return Exit.OK


def _revoke(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    result = ask(paths, "token-revoke", id=arguments.id)
    if arguments.output == "json":
        print_json(result)
    else:
        print(f"Token {result['id']} lets nobody in any more. Who came in by it stays: see `device revoke`.")
    return Exit.OK


def _list(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    result = ask(paths, "token-list")
    if arguments.output == "json":
        print_json(result)
        return Exit.OK
    keys = ("id", "name", "state", "expires")
    rows = [
        [*(entry[key] for key in keys), f"{entry['used']}/{entry['uses']}", entry["used_at"]]
        for entry in result["tokens"]
    ]
    print_table(("ID", "NAME", "STATE", "EXPIRES", "USES", "LAST-USED"), rows)
    return Exit.OK


def _seconds(text: str) -> int:
    match = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r}: write a number and a unit, such as 30m, 1h or 7d")
    seconds = int(match[1]) * _UNITS[match[2]]
    if not 1 <= seconds <= LONGEST_TTL:
        raise argparse.ArgumentTypeError(f"{text!r}: a token works for 1s to {LONGEST_TTL // 86400}d")
    return seconds
