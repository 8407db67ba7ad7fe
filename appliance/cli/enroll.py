# SPDX-License-Identifier: Apache-2.0
"""`orillo enroll TOKEN|-`: become a member of a cluster."""

import asyncio
import sys

from appliance.cli.errors import Exit
from appliance.cli.text import print_json
from appliance.netcore.plan.token import parse_token
from appliance.paths import Paths
from appliance.status import client
from appliance.status.client import NotRunningError
from appliance.sync.enroll import enroll


def run(paths: Paths, text: str, *, json: bool) -> int:
    """Redeem the token, and tell the daemon, if it runs, that there is an identity now."""
    token = parse_token(sys.stdin.readline() if text == "-" else text)
    device = asyncio.run(enroll(paths, token))
    told = _tell_daemon(paths)
    identity = device.identity
    if json:
        print_json({"identity": identity, "not_after": device.not_after, "daemon_told": told})
        return Exit.OK
    print(f"enrolled as {identity.name} in {identity.cluster} (instance {identity.instance})")
    print(f"certificate valid until {device.not_after.isoformat()}, renewed by itself")
    print("the running daemon goes on with it" if told else "start the daemon with `orillo run`")
    return Exit.OK


def _tell_daemon(paths: Paths) -> bool:
    try:
        client.command(paths.status_socket, "reload")
    except NotRunningError:
        return False
    return True
