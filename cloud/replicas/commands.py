# SPDX-License-Identifier: Apache-2.0
"""The commands that change what replicas share: any of them runs them, and all of them know.

Where an operator is alone with its store, `cloud.commands` has these too.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from cloud import commands, views
from cloud.app import App, Cluster
from cloud.faults import CommandError, Exit, as_command_errors
from cloud.source.api import ApiError


class Shared(NamedTuple):
    """What a command takes, and what runs it."""

    parameters: Any
    run: Callable[[App, Cluster, Any], Awaitable[dict[str, Any]]]


async def create_token(app: App, cluster: Cluster, asked: commands.CreateToken) -> dict[str, Any]:
    """A token as an EnrollToken, which every replica redeems."""
    if asked.replace and not await cluster.revoke(asked.name):
        raise CommandError(f"{asked.name} is not enrolled, so nothing is replaced: use --name {asked.name}")
    made = commands.create_token(app, replace(asked, as_object=True, replace=False))
    if not asked.as_object:
        await cluster.add_token(made.pop("object"))
    return made


async def list_tokens(app: App, cluster: Cluster, _: views.Nothing) -> dict[str, Any]:
    """Every EnrollToken, without its secret, which nobody knows any more."""
    now = app.now()
    return {"tokens": [views.token_row(token, now) for token in await cluster.tokens()]}


async def revoke_token(_: App, cluster: Cluster, asked: commands.RevokeToken) -> dict[str, Any]:
    """Let nobody in by this token any more; who came in by it stays."""
    if not await cluster.forget_token(asked.id):
        raise CommandError(f"there is no token {asked.id}: see `orillo-cloud token list`")
    return {"id": asked.id, "state": "revoked"}


async def revoke(_: App, cluster: Cluster, asked: commands.Revoke) -> dict[str, Any]:
    """Shut a device out."""
    if not await cluster.revoke(asked.name):
        raise CommandError(f"{asked.name} is not enrolled: see `orillo-cloud device list`")
    return {"name": asked.name, "state": "revoked"}


SHARED = {
    "token-create": Shared(commands.CreateToken, create_token),
    "token-list": Shared(views.Nothing, list_tokens),
    "token-revoke": Shared(commands.RevokeToken, revoke_token),
    "device-revoke": Shared(commands.Revoke, revoke),
}


async def dispatch(app: App, command: str, parameters: object) -> Any:
    """Run a command, with the other replicas if there are any. Raises `CommandError`."""
    if app.cluster is None or command not in SHARED:
        return commands.dispatch(app, command, parameters)
    known = SHARED[command]
    try:
        asked = msgspec.convert(parameters, known.parameters)
    except msgspec.ValidationError as error:
        raise CommandError(f"{command}: {error}", Exit.USAGE) from error
    try:
        with as_command_errors():
            return await known.run(app, app.cluster, asked)
    except ApiError as error:
        problem = f"the API server did not do it: {error}: try again, nothing else was changed"
        raise CommandError(problem, Exit.CANNOT_RUN) from error
