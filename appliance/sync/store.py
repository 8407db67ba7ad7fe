# SPDX-License-Identifier: Apache-2.0
"""The plan on disk: two slots, so that power loss at any instant leaves a good one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.files import read, write_atomic
from appliance.netcore.plan.codec import PlanError
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.signature import verify

_SLOTS = ("a.json", "b.json")


@dataclass(frozen=True)
class Held:
    """A plan that may be believed, and where it stands."""

    plan: Plan
    digest: str
    slot: Path


@dataclass(frozen=True)
class Loaded:
    """The best of the two slots, and why another one that holds something was not used."""

    held: Held | None
    refused: tuple[str, ...] = ()


class _Digest(msgspec.Struct):
    digest: str


class PlanStore:
    """The slots below `directory`, read with the trust of one identity."""

    def __init__(self, directory: Path, plan_keys: Mapping[str, str], owner: Identity) -> None:
        self._directory = directory
        self._plan_keys = plan_keys
        self._owner = owner

    def verify(self, data: bytes, slot: Path | None = None) -> Held:
        """The plan in `data`, if it may be believed. Raises `PlanError`."""
        plan = verify(data, self._plan_keys, self._owner)
        digest = msgspec.json.decode(data, type=_Digest).digest
        return Held(plan, digest, slot or self._directory / _SLOTS[0])

    def load(self) -> Loaded:
        """Verify both slots and take the highest generation that verifies."""
        good: list[Held] = []
        refused: list[str] = []
        for slot in self._slots():
            try:
                data = read(slot)
                if data is not None:
                    good.append(self.verify(data, slot))
            except (PlanError, DoorError) as error:
                refused.append(f"{slot}: {error}")
        best = max(good, key=lambda held: (held.plan.generation, held.plan.issued_at), default=None)
        return Loaded(best, tuple(refused))

    def put(self, data: bytes, held: Held | None) -> Held:
        """Verify `data` and write it over the slot that `held` is not in.

        Raises `PlanError`, and `DoorError` if it can't be written; `held` stays good in either case.
        """
        slots = self._slots()
        slot = slots[1] if held is not None and held.slot == slots[0] else slots[0]
        new = self.verify(data, slot)
        write_atomic(slot, data, 0o600)
        return new

    def _slots(self) -> tuple[Path, Path]:
        return self._directory / _SLOTS[0], self._directory / _SLOTS[1]
