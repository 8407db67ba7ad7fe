# SPDX-License-Identifier: Apache-2.0
"""The plan on disk: two slots, so that power loss at any instant leaves a good one.

Beside the slots stand the trial that runs, if one does, and the digests of plans that were tried and undone.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec.structs import replace

from appliance import __version__
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.files import read, remove, write_atomic
from appliance.netcore.plan.codec import PlanError
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Plan
from appliance.sync.hands import verify_here
from appliance.trial import Sign, Trial

_SLOTS = ("a.json", "b.json")
_MEMORY = "trial.json"
_REMEMBERED = 8


@dataclass(frozen=True)
class Held:
    """A plan that may be believed, and where it stands."""

    plan: Plan
    digest: str
    slot: Path


@dataclass(frozen=True)
class Loaded:
    """The best of the two slots, the other one if it is good too, and why one was not used."""

    held: Held | None
    refused: tuple[str, ...] = ()
    before: Held | None = None


class _Memory(msgspec.Struct, frozen=True):
    """`trial.json`: the plan on trial with what worked before it, and the digests that were undone, with
    why.
    """

    trial: str = ""
    worked: tuple[Sign, ...] = ()
    undone: dict[str, str] = {}


class _Digest(msgspec.Struct):
    digest: str


class PlanStore:
    """The slots below `directory`, read with the trust of one identity; `verify` as in `sync.hands`."""

    def __init__(
        self,
        directory: Path,
        plan_keys: Mapping[str, str],
        owner: Identity,
        verify: Callable[[bytes, Mapping[str, str], Identity], Plan] = verify_here,
    ) -> None:
        self._directory = directory
        self._plan_keys = plan_keys
        self._owner = owner
        self._verify = verify
        #: What is on its way from arrival to its slot, and so verified already.
        self._verified: tuple[bytes, Plan] | None = None

    def verify(self, data: bytes, slot: Path | None = None) -> Held:
        """The plan in `data`, if it may be believed and this agent is new enough for it.

        Both on arrival and at every load: an agent can be put back to an older one. Raises `PlanError`.
        """
        if self._verified is None or self._verified[0] != data:
            self._verified = (data, self._verify(data, self._plan_keys, self._owner))
        plan = self._verified[1]
        if _release(plan.min_agent) > _release(__version__):
            raise PlanError(
                f"generation {plan.generation} needs agent {plan.min_agent}, this is {__version__}: update it"
            )
        digest = msgspec.json.decode(data, type=_Digest).digest
        return Held(plan, digest, slot or self._directory / _SLOTS[0])

    def load(self) -> Loaded:
        """Verify both slots and take the highest generation that verifies and was not undone.

        The trust of an undone plan stays in force: a revocation is not taken back with the rest.
        """
        good: list[Held] = []
        refused: list[str] = []
        for slot in self._slots():
            try:
                data = read(slot)
                if data is not None:
                    good.append(self.verify(data, slot))
            except (PlanError, DoorError) as error:
                refused.append(f"{slot}: {error}")
        good.sort(key=lambda held: (held.plan.generation, held.plan.issued_at), reverse=True)
        undone = self._memory().undone
        usable = [_trusting(held, good[0]) for held in good if held.digest not in undone]
        return Loaded(
            held=usable[0] if usable else None,
            refused=tuple(refused),
            before=usable[1] if len(usable) > 1 else None,
        )

    def put(self, data: bytes, held: Held | None) -> Held:
        """Verify `data` and write it over the slot that `held` is not in.

        Raises `PlanError`, and `DoorError` if it can't be written; `held` stays good in either case.
        """
        slots = self._slots()
        slot = slots[1] if held is not None and held.slot == slots[0] else slots[0]
        new = self.verify(data, slot)
        write_atomic(slot, data, 0o600)
        if held is None:
            # Nothing in the other slot may be used: it is damaged, or of an enrolment before this one.
            remove(slots[0] if slot == slots[1] else slots[1])
        return new

    def begin_trial(self, trial: Trial) -> None:
        """Remember that a plan is on trial, before it is applied. Raises `DoorError`."""
        self._remember(replace(self._memory(), trial=trial.subject, worked=tuple(sorted(trial.worked))))

    def open_trial(self) -> Trial | None:
        """The trial that was not over when the power went or the agent ended."""
        memory = self._memory()
        return Trial(memory.trial, frozenset(memory.worked)) if memory.trial else None

    def keep(self) -> None:
        """The plan on trial proved good. Raises `DoorError`."""
        self._remember(replace(self._memory(), trial="", worked=()))

    def undo(self, digest: str, reason: str) -> None:
        """Never use this plan again. Raises `DoorError`."""
        undone = dict([*self._memory().undone.items(), (digest, reason)][-_REMEMBERED:])
        self._remember(_Memory(undone=undone))

    def why_undone(self, digest: str) -> str | None:
        """Why a plan was undone on this device; None if it was not."""
        return self._memory().undone.get(digest)

    def _memory(self) -> _Memory:
        """What is remembered; a damaged memory is none, since the slots stand without it."""
        try:
            return msgspec.json.decode(read(self._directory / _MEMORY) or b"{}", type=_Memory)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return _Memory()

    def _remember(self, memory: _Memory) -> None:
        if memory != self._memory():
            write_atomic(self._directory / _MEMORY, msgspec.json.encode(memory), 0o600)

    def _slots(self) -> tuple[Path, Path]:
        return self._directory / _SLOTS[0], self._directory / _SLOTS[1]


def _release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, to compare two of them."""
    return tuple(int(part) for part in re.findall(r"(?:^|(?<=\.))\d+", version))


def _trusting(held: Held, newest: Held) -> Held:
    """`held` with the trust of the newest plan that was verified."""
    if held.plan.trust == newest.plan.trust:
        return held
    return Held(replace(held.plan, trust=newest.plan.trust), held.digest, held.slot)
