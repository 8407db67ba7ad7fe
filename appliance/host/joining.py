# SPDX-License-Identifier: Apache-2.0
"""What a card brought to join with, left for `orillo daemon join` by the program that read the card.

Only that one may have to know YAML, and only this one speaks to an operator: the two are different programs.
"""

from pathlib import Path

import msgspec

from appliance.host.errors import HostConfigError
from appliance.host.source import Found
from appliance.netcore.kernel.files import read, remove, write_atomic
from appliance.paths import Paths


class Joining(msgspec.Struct, frozen=True):
    """A token and where it stands, a site plan's path and its key; each may be empty."""

    token: str = ""
    token_file: str = ""
    plan: str = ""
    plan_key: str = ""
    #: The token was used already, and only has to be wiped.
    redeemed: bool = False


def leave(paths: Paths, found: Found | None) -> None:
    """For this boot only, in memory, for root. Raises `DoorError`."""
    if found is None or not (found.config.token or found.config.plan):
        remove(_file(paths))
        return
    config = found.config
    plan = str(found.file.parent / config.plan) if config.plan else ""
    joining = Joining(config.token, str(found.token_file), plan, config.plan_key)
    _keep(paths, joining)


def left(paths: Paths) -> Joining | None:
    """What was left and is not done yet. Raises `DoorError`."""
    data = read(_file(paths))
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=Joining)
    except msgspec.MsgspecError as error:
        raise HostConfigError(f"{_file(paths)} is damaged: restart orillo-host.service") from error


def redeemed(paths: Paths, joining: Joining) -> None:
    """The token let this device in, and lets nobody in again. Raises `DoorError`."""
    _keep(paths, msgspec.structs.replace(joining, redeemed=True))


def done(paths: Paths) -> None:
    """There is nothing left to join with. Raises `DoorError`."""
    remove(_file(paths))


def _keep(paths: Paths, joining: Joining) -> None:
    write_atomic(_file(paths), msgspec.json.encode(joining), 0o600)


def _file(paths: Paths) -> Path:
    return paths.host_run / "join"
