# SPDX-License-Identifier: Apache-2.0
"""One pass over one table: what is wanted, what is there, and what came of each object.

Nothing is deleted before every wanted object was tried, so that a change never leaves a gap that an order
of steps could have avoided. One object's failure is its own status and never stops the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar

from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.plan.exchange import PhaseCount


class Phase(StrEnum):
    """Where one object stands."""

    APPLIED = "applied"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True)
class ObjectStatus:
    """What came of one object, and why where it is not applied."""

    phase: Phase
    reason: str = ""


K = TypeVar("K")
V = TypeVar("V")


class Table(Protocol[K, V]):
    """An outside table. `put` is idempotent, and to `delete` what is absent is a success.

    `observe` returns only objects of ours. All three raise `NotYetError` or `DoorError`, nothing else.
    """

    async def observe(self) -> Mapping[K, V]: ...

    async def put(self, key: K, value: V) -> None: ...

    async def delete(self, key: K) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What one pass left behind: a status for each object, and the keys it had to write or remove."""

    statuses: Mapping[str, ObjectStatus] = field(default_factory=dict)
    changed: tuple[str, ...] = ()

    def count(self) -> PhaseCount:
        """The pass in figures, for status and report."""
        phases = [status.phase for status in self.statuses.values()]
        reasons = [s.reason for s in self.statuses.values() if s.phase is not Phase.APPLIED]
        return PhaseCount(
            applied=phases.count(Phase.APPLIED),
            waiting=phases.count(Phase.WAITING),
            failed=phases.count(Phase.FAILED),
            reason=reasons[0] if reasons else "",
        )


async def reconcile(table: Table[K, V], desired: Mapping[K, V]) -> Outcome:
    """One pass. The caller passes the whole wish: what is observed and not in it is deleted."""
    try:
        observed = await table.observe()
    except DoorError as error:
        return Outcome({str(key): _status(error) for key in desired} or {"table": _status(error)})
    statuses: dict[str, ObjectStatus] = {}
    changed: list[str] = []
    for key, value in desired.items():
        if observed.get(key) == value:
            statuses[str(key)] = ObjectStatus(Phase.APPLIED)
            continue
        try:
            await table.put(key, value)
        except DoorError as error:
            statuses[str(key)] = _status(error)
        else:
            statuses[str(key)] = ObjectStatus(Phase.APPLIED)
            changed.append(str(key))
    for key in observed.keys() - desired.keys():
        try:
            await table.delete(key)
        except DoorError as error:
            statuses[str(key)] = _status(error)
        else:
            changed.append(str(key))
    return Outcome(statuses, tuple(changed))


def _status(error: DoorError) -> ObjectStatus:
    phase = Phase.WAITING if isinstance(error, NotYetError) else Phase.FAILED
    return ObjectStatus(phase, str(error))
