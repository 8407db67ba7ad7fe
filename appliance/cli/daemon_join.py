# SPDX-License-Identifier: Apache-2.0
"""`orillo daemon join`: use the token and the site plan of the boot-config partition, then wipe the token."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from appliance.cli import plan
from appliance.cli.errors import CliError, Exit, need_root
from appliance.host import joining
from appliance.host.applied import wipe_token
from appliance.host.joining import Joining
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.processes import run as call
from appliance.netcore.plan.codec import PlanError
from appliance.netcore.plan.exchange import TOKEN_EXPIRED, TOKEN_UNKNOWN, TOKEN_USED
from appliance.netcore.plan.token import TokenError, parse_token
from appliance.paths import Paths
from appliance.status import client
from appliance.status.client import NotRunningError
from appliance.sync.enroll import enroll
from appliance.sync.errors import RefusedError
from appliance.sync.identity import load_identity

#: Refusals that no waiting mends.
_FINAL = (TOKEN_EXPIRED, TOKEN_UNKNOWN, TOKEN_USED)


def run(paths: Paths) -> int:
    """Join the cluster. 2: the token is refused for good; 3: not yet, try again."""
    need_root("daemon join")
    brought = joining.left(paths)
    if brought is not None and brought.plan and load_identity(paths) is None:
        _import(paths, brought)
    if brought is not None and brought.token:
        _enrol(paths, brought)
    joining.done(paths)
    return Exit.OK


def _import(paths: Paths, brought: Joining) -> None:
    """The site plan. One that can't be used must not keep a device with a token from its cluster."""
    try:
        plan.import_file(paths, Path(brought.plan), brought.plan_key)
    except (PlanError, DoorError, CliError) as error:
        if not brought.token:
            raise
        print(f"the site plan is not used: {error}")


def _enrol(paths: Paths, brought: Joining) -> None:
    file = Path(brought.token_file)
    if not brought.redeemed:
        _redeem(paths, brought)
    asyncio.run(_wipe(paths, file, brought.token))
    print(f"the token is wiped from {file.name}")


def _redeem(paths: Paths, brought: Joining) -> None:
    try:
        device = asyncio.run(enroll(paths, parse_token(brought.token)))
    except TokenError as error:
        raise CliError(f"{brought.token_file}: {error}", Exit.USAGE) from error
    except RefusedError as error:
        final = error.code in _FINAL
        raise CliError(f"{brought.token_file}: {error}", Exit.USAGE if final else Exit.CANNOT_RUN) from error
    # If wiping it fails, it is wiped at the next try, and not asked for again.
    joining.redeemed(paths, brought)
    with suppress(NotRunningError):
        client.command(paths.status_socket, "reload")
    print(f"enrolled as {device.identity.name}", flush=True)


async def _wipe(paths: Paths, file: Path, token: str) -> None:
    if file.parent == paths.boot_config:
        async with _writable(str(paths.boot_config)):
            wipe_token(file, token)
    else:
        # The boot loader's partition can always be written.
        wipe_token(file, token)


@asynccontextmanager
async def _writable(mount: str) -> AsyncIterator[None]:
    await call("mount", "-o", "remount,rw", mount)
    try:
        yield
    finally:
        await call("mount", "-o", "remount,ro", mount)
