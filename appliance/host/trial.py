# SPDX-License-Identifier: Apache-2.0
"""A system on trial: what worked under the one before, so that the new one is measured by it."""

import msgspec

from appliance.netcore.kernel.files import read, remove, write_atomic
from appliance.paths import Paths
from appliance.trial import Sign

_FILE = "trial.json"


class Before(msgspec.Struct, frozen=True):
    """What worked when the update began, and in which slot."""

    slot: str
    worked: tuple[Sign, ...]


def begin(paths: Paths, slot: str, worked: frozenset[Sign]) -> None:
    """Remember it over the restart. Raises `DoorError`."""
    before = Before(slot, tuple(sorted(worked)))
    write_atomic(paths.host_state / _FILE, msgspec.json.encode(before), 0o600)


def begun(paths: Paths) -> frozenset[Sign]:
    """What worked before; of a device that nobody remembers anything of, its agent alone."""
    data = read(paths.host_state / _FILE)
    try:
        before = msgspec.json.decode(data, type=Before) if data is not None else None
    except msgspec.MsgspecError:
        before = None
    return frozenset(before.worked if before is not None else ()) | {Sign.AGENT}


def end(paths: Paths) -> None:
    """The trial is over. Raises `DoorError`."""
    remove(paths.host_state / _FILE)
