# SPDX-License-Identifier: Apache-2.0
"""`orillo enroll TOKEN|-`: become a member of a cluster."""

import asyncio
import sys

from appliance.cli.errors import CliError, Exit
from appliance.cli.text import print_json
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.token import parse_token
from appliance.paths import Paths
from appliance.status import client
from appliance.status.client import NotRunningError
from appliance.sync.enroll import enroll


def run(paths: Paths, text: str, *, json: bool) -> int:
    """Redeem the token, and tell the daemon, if it runs, that there is an identity now."""
    token = parse_token(sys.stdin.readline() if text == "-" else text)
    device = asyncio.run(enroll(paths, token))
    identity = device.identity
    told = _tell_daemon(paths, identity.name)
    if json:
        print_json({"identity": identity, "not_after": device.not_after, "daemon_told": told})
        return Exit.OK
    print(f"enrolled as {identity.name} in {identity.cluster} (instance {identity.instance})")
    print(f"certificate valid until {device.not_after.isoformat()}, renewed by itself")
    print("the running daemon goes on with it" if told else "start the daemon with `orillo run`")
    return Exit.OK


def _tell_daemon(paths: Paths, name: str) -> bool:
    """Whether there is a daemon that knows. One that can't be told must not hide that the token is spent."""
    try:
        client.command(paths.status_socket, "reload")
    except NotRunningError:
        return False
    except DoorError as error:
        raise CliError(
            f"enrolled as {name}, but the running daemon could not be told ({error}): restart it",
            Exit.DEGRADED,
        ) from error
    return True
