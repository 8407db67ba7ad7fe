# SPDX-License-Identifier: Apache-2.0
"""Conditions as Kubernetes has them: how one is said, and which are bad news."""

from datetime import datetime

from msgspec.structs import replace

from cloud.source.status import Condition, condition_of

#: A condition's message is for one screen.
_LONGEST = 1024


def say(kind: str, holds: bool | None, reason: str, message: str, now: datetime) -> Condition:
    """A condition that holds, does not, or of which nothing is known."""
    return Condition(
        type=kind,  # type: ignore[arg-type]
        status="Unknown" if holds is None else str(holds),  # type: ignore[arg-type]
        reason=reason,
        message=message[:_LONGEST],
        last_transition_time=now.replace(microsecond=0),
    )


def kept(condition: Condition, before: tuple[Condition, ...]) -> Condition:
    """The condition with the time since which it is as it is."""
    old = condition_of(before, condition.type)
    if old is None or old.status != condition.status:
        return condition
    return replace(condition, last_transition_time=old.last_transition_time)


def good(kind: str) -> str:
    """The status of a condition of this type that nobody has to look at."""
    return "False" if kind == "Degraded" else "True"


def is_bad(condition: Condition) -> bool:
    """Whether somebody may want to look at it."""
    return condition.status != good(condition.type)
