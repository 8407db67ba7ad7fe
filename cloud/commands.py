# SPDX-License-Identifier: Apache-2.0
"""Every command by its name: the same functions behind the admin socket and behind a verb run alone."""

import base64
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, NamedTuple

import msgspec

from appliance.netcore.plan.identity import is_name
from cloud import enrolment, intent, views
from cloud.app import App
from cloud.faults import CommandError, Exit, as_command_errors
from cloud.site_plan import SitePlan, make_site_plan, show_plan_key
from cloud.store.tokens import is_pattern
from cloud.token_objects import hash_of

#: Where the admin socket takes commands: this, and the command's name.
COMMAND_PATH = "/v1/command/"
#: In seconds.
LONGEST_TTL = 365 * 86400
#: How many devices one token may let in.
MOST_USES = 100_000


class CreateToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of `token-create`; `ttl` in seconds. `replace` revokes who has the name at present.

    A `name` with `*`, `?` or `[...]` stands for all names like it, of which `uses` may enrol.
    """

    name: str
    ttl: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_TTL)]
    replace: bool = False
    author: str = ""
    uses: Annotated[int, msgspec.Meta(ge=1, le=MOST_USES)] = 1
    as_object: bool = False


class RevokeToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of `token-revoke`."""

    id: str


class Revoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of `device-revoke`."""

    name: str
    author: str


class Command(NamedTuple):
    """What a command takes, and what runs it."""

    parameters: Any
    run: Callable[[App, Any], Any]


def create_token(app: App, asked: CreateToken) -> dict[str, Any]:
    """A token to be typed in at a device; its text is shown this once."""
    many = is_pattern(asked.name)
    if not is_name(re.sub(r"[*?\[\]!]", "x", asked.name) if many else asked.name):
        raise CommandError(f"{asked.name!r} is no name of a node: use lower-case letters, digits and '-'")
    if asked.uses > 1 and not many:
        raise CommandError(
            f"{asked.name} is one device: with --uses give a pattern such as --pattern 'node-*'"
        )
    if asked.replace and not enrolment.revoke(app, asked.name, asked.author):
        raise CommandError(f"{asked.name} is not enrolled, so nothing is replaced: use --name {asked.name}")
    life = timedelta(seconds=asked.ttl)
    expires = (app.now() + life).isoformat(timespec="seconds").replace("+00:00", "Z")
    token = enrolment.create_token(app, asked.name, life, asked.uses, keep=not asked.as_object)
    known = many or asked.name in app.engine().inventory.nodes
    warnings = (
        [] if known else [f"there is no Node {asked.name} yet: it gets a plan once its manifest is applied"]
    )
    fields: dict[str, Any] = {
        "token": token.to_text(),
        "id": token.id,
        "name": asked.name,
        "expires": expires,
    }
    if asked.as_object:
        spec = {"hash": hash_of(token.secret), "name": asked.name, "uses": asked.uses, "expires": expires}
        kind = {"apiVersion": "orillo.io/v1alpha1", "kind": "EnrollToken"}
        fields["object"] = kind | {"metadata": {"name": token.id}, "spec": spec}
    return fields | {"uses": asked.uses, "warnings": warnings}


def revoke_token(app: App, asked: RevokeToken) -> dict[str, Any]:
    """Let nobody in by this token any more; who came in by it stays."""
    with app.store.transaction():
        if not app.store.tokens.revoke(asked.id):
            raise CommandError(f"there is no token {asked.id}: see `orillo-cloud token list`")
    return {"id": asked.id, "state": "revoked"}


def revoke(app: App, asked: Revoke) -> dict[str, Any]:
    """Shut a device out."""
    if not enrolment.revoke(app, asked.name, asked.author):
        raise CommandError(f"{asked.name} is not enrolled: see `orillo-cloud device list`")
    return {"name": asked.name, "state": "revoked"}


def copy_store(app: App, _: views.Nothing) -> dict[str, Any]:
    """The store as a file, for a backup; in base64, since commands speak JSON."""
    return {"store": base64.b64encode(app.store.copy()).decode()}


COMMANDS = {
    "apply": Command(intent.Apply, intent.apply),
    "get": Command(intent.Get, intent.get),
    "delete": Command(intent.Delete, intent.delete),
    "token-create": Command(CreateToken, create_token),
    "token-list": Command(views.Nothing, views.list_tokens),
    "token-revoke": Command(RevokeToken, revoke_token),
    "device-list": Command(views.Nothing, views.list_devices),
    "device-revoke": Command(Revoke, revoke),
    "cluster-list": Command(views.Nothing, views.list_clusters),
    "store-copy": Command(views.Nothing, copy_store),
    "plan-show": Command(views.Named, views.show_plan),
    "plan-site": Command(SitePlan, make_site_plan),
    "plan-key": Command(views.Nothing, show_plan_key),
    "explain": Command(views.Pair, views.explain),
}


def dispatch(app: App, command: str, parameters: object) -> Any:
    """Run a command; its result is plain JSON. Raises `CommandError`."""
    known = COMMANDS.get(command)
    if known is None:
        raise CommandError(f"no command {command!r}: is the server of another version?", Exit.USAGE)
    try:
        asked = msgspec.convert(parameters, known.parameters)
    except msgspec.ValidationError as error:
        raise CommandError(f"{command}: {error}", Exit.USAGE) from error
    with as_command_errors():
        return known.run(app, asked)
