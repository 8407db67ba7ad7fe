# SPDX-License-Identifier: Apache-2.0
"""What the daemon answers to the terminal's questions, `doctor` and `why`, as values."""

from collections.abc import Mapping
from typing import Any

import msgspec

from appliance.status.model import Condition
from appliance.status.views import read


class Hop(msgspec.Struct, frozen=True):
    """One step of a path; `ok` is None where it can't be told from the device."""

    step: str
    ok: bool | None
    text: str
    evidence: str = ""
    remedy: str = ""


class Walk(msgspec.Struct, frozen=True):
    """A whole path. `breaks` is the first step that fails; empty if none does."""

    a: str
    b: str
    hops: tuple[Hop, ...]
    port: int | None = None
    breaks: str = ""


class Examination(msgspec.Struct, frozen=True):
    """What all checks together found, and which they were."""

    conditions: tuple[Condition, ...]
    checks: tuple[str, ...] = ()


def read_walk(answer: Mapping[str, Any]) -> Walk:
    """The answer to `why`. Raises `DoorError`."""
    return read(answer, Walk)


def read_examination(answer: Mapping[str, Any]) -> Examination:
    """The answer to `doctor`. Raises `DoorError`."""
    return read(answer, Examination)
