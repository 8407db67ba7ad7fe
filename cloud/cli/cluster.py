# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud cluster`: exchange services with another cluster."""

import argparse
import asyncio
import sys
from typing import Any

from appliance.netcore.plan.token import TokenError, parse_token
from cloud.cli.client import ask
from cloud.cli.output import print_json, print_table
from cloud.cli.verb import add_output
from cloud.endpoint.joining import ExchangeError, join
from cloud.faults import CommandError, Exit
from cloud.links import keep
from cloud.paths import CloudPaths
from cloud.settings import read_settings


def declare(parser: argparse.ArgumentParser) -> None:
    """`join` and `list`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="join|list")
    joining = actions.add_parser("join", help="enrol this operator at another cluster's, with its token")
    joining.add_argument("token", metavar="TOKEN", help="of `token create --name OUR-CLUSTER` there; or -")
    add_output(joining)
    add_output(actions.add_parser("list", help="every other cluster, and what it says"))


def run(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    """Do what was asked."""
    return _list(arguments, paths) if arguments.action == "list" else _join(arguments, paths)


def _join(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    settings = read_settings(paths.settings)
    try:
        token = parse_token(_text(arguments.token))
        cluster, identity, ca = asyncio.run(join(settings.cluster, token))
    except TokenError as error:
        raise CommandError(str(error), Exit.USAGE) from error
    except ExchangeError as error:
        raise CommandError(str(error), Exit.CANNOT_RUN) from error
    keep(paths.links, cluster, token.control_url, ca, identity)
    if arguments.output == "json":
        print_json({"cluster": cluster, "control_url": token.control_url})
    else:
        print(f"This operator is enrolled at {cluster}. Services are exchanged while both have the other's")
        print(f"Cluster object: here that of {cluster}, there that of {settings.cluster}.")
    return Exit.OK


def _text(word: str) -> str:
    return sys.stdin.readline() if word == "-" else word


def _list(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    result = ask(paths, "cluster-list")
    if arguments.output == "json":
        print_json(result)
    else:
        rows = [_row(cluster) for cluster in result["clusters"]]
        print_table(("NAME", "HEARD", "GATEWAYS", "TUNNELS", "SERVICES", "SINCE", "MESSAGE"), rows)
    return Exit.OK


def _row(cluster: dict[str, Any]) -> tuple[object, ...]:
    heard = next(each["status"] for each in cluster["conditions"] if each["type"] == "Heard")
    gateways, tunnels = ", ".join(cluster["gateways"]), cluster["tunnels"]
    services, since = len(cluster["services"]), cluster["seen"]
    return cluster["name"], heard, gateways, tunnels, services, since, cluster["message"]
