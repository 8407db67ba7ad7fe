# SPDX-License-Identifier: Apache-2.0
"""A condition as it is told: on the status socket, by `orillo doctor -o json`, on screens."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """What a condition does to the device's health."""

    INFO = "info"
    DEGRADED = "degraded"
    FAULT = "fault"


_ORDER = tuple(Severity)


class Condition(msgspec.Struct, frozen=True):
    """Something that a person should know: what is so, what shows it, and what to do.

    `text` and `remedy` are English; `words.say` has them in other languages, by `code` and `about`. `since`
    is when it was first seen. `hides` are the codes of the conditions that are its consequences.
    """

    code: str
    severity: Severity
    text: str
    remedy: str = ""
    evidence: str = ""
    about: dict[str, str] = {}
    since: datetime | None = None
    hides: tuple[str, ...] = ()


class Event(msgspec.Struct, frozen=True):
    """A condition that came (`active`) or went."""

    at: datetime
    code: str
    text: str
    active: bool = True


def rank(severity: Severity) -> int:
    """Higher is graver."""
    return _ORDER.index(severity)


def worst(conditions: Iterable[Condition]) -> Severity:
    """The gravest severity; `INFO` stands for a healthy device."""
    return max((condition.severity for condition in conditions), key=rank, default=Severity.INFO)
