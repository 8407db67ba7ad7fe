# SPDX-License-Identifier: Apache-2.0
"""`orillo enroll TOKEN|-|@FILE`: become a member of a cluster."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from appliance.cli.errors import CliError, Exit
from appliance.cli.text import print_json
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.identity import is_name
from appliance.netcore.plan.token import Token, parse_token
from appliance.paths import Paths
from appliance.status import client
from appliance.status.client import NotRunningError
from appliance.sync.enroll import enroll
from appliance.sync.errors import IdentityError
from appliance.sync.identity import DeviceIdentity, load_identity
from appliance.sync.identity_keys import fingerprint, read_bundle


@dataclass(frozen=True)
class Asked:
    """What the command line says. `once`: a device that is a member already stays as it is."""

    token: str
    name: str = ""
    once: bool = False


def run(paths: Paths, asked: Asked, *, json: bool) -> int:
    """Redeem the token, and tell the daemon, if it runs, that there is an identity now."""
    if asked.name and not is_name(asked.name):
        raise CliError(f"{asked.name!r} is no name of a device: it has to be a DNS label", Exit.USAGE)
    token = parse_token(_text(asked.token))
    member = _member_already(paths, token, asked.name) if asked.once else None
    device = member or asyncio.run(enroll(paths, token, asked.name))
    identity = device.identity
    told = False if member else _tell_daemon(paths, identity.name)
    if json:
        print_json({"identity": identity, "not_after": device.not_after, "daemon_told": told})
        return Exit.OK
    what = "already enrolled" if member else "enrolled"
    print(f"{what} as {identity.name} in {identity.cluster} (instance {identity.instance})")
    print(f"certificate valid until {device.not_after.isoformat()}, renewed by itself")
    if not member:
        print("the running daemon goes on with it" if told else "start the daemon with `orillo run`")
    return Exit.OK


def _text(word: str) -> str:
    """The token's text, from where the command line says it is."""
    if word == "-":
        return sys.stdin.readline()
    if not word.startswith("@"):
        return word
    try:
        return Path(word[1:]).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise CliError(f"can't read the token in {word[1:]}: {error.strerror}") from error


def _member_already(paths: Paths, token: Token, name: str) -> DeviceIdentity | None:
    """The identity that the token would only replace: of the same CA, and of `name` if one is asked."""
    try:
        device = load_identity(paths)
        bundle = read_bundle(device.ca.read_bytes()) if device else ()
    except (IdentityError, OSError):
        return None  # damaged: there is nothing to lose by a new one
    same = device is not None and name in ("", device.identity.name)
    return device if same and any(fingerprint(pem) == token.ca_pin for pem in bundle) else None


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
