# SPDX-License-Identifier: Apache-2.0
"""What the daemon answers to the terminal's questions, `doctor`, `why` and `plan`, as values."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from appliance.netcore.errors import DoorError
from appliance.netcore.plan.values import convert
from appliance.status.model import Condition

T = TypeVar("T")


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


class Plans(msgspec.Struct, frozen=True):
    """The plan in force and the one before it, as documents."""

    plan: dict[str, Any] | None = None
    before: dict[str, Any] | None = None


def read_plans(answer: Mapping[str, Any]) -> Plans:
    """The answer to `plan`. Raises `DoorError`."""
    return _read(answer, Plans)


def read_walk(answer: Mapping[str, Any]) -> Walk:
    """The answer to `why`. Raises `DoorError`."""
    return _read(answer, Walk)


def read_examination(answer: Mapping[str, Any]) -> Examination:
    """The answer to `doctor`. Raises `DoorError`."""
    return _read(answer, Examination)


def _read(answer: Mapping[str, Any], kind: type[T]) -> T:
    try:
        return convert(answer, kind)
    except msgspec.ValidationError as error:
        raise DoorError(f"the daemon's answer can't be read ({error}): is it another version?") from error
