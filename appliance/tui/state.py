# SPDX-License-Identifier: Apache-2.0
"""What the terminal knows: the newest snapshot, what came before it, and how the line to the daemon is.
Pure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from appliance.status.answers import Examination, Walk, read_examination, read_walk
from appliance.status.health import conditions
from appliance.status.model import Condition, Event, Severity, Snapshot, State, Tunnel
from appliance.status.speech import Language, in_language
from appliance.status.views import Plans, read
from appliance.tui.look import Tone

_KEPT_RATES = 24
_KEPT_EVENTS = 500


@dataclass(frozen=True)
class Happening:
    """Something that changed between two snapshots."""

    at: datetime
    tone: Tone
    text: str


@dataclass(frozen=True)
class Rates:
    """The bytes a second of one tunnel, oldest first."""

    into: tuple[float, ...] = ()
    out: tuple[float, ...] = ()


@dataclass(frozen=True)
class Known:
    """All that the screens are made of. `trouble` is why nothing new comes; empty while the line is good.

    `walk`, `examined` and `plans` are the last answers to `why`, `doctor` and `plan`.
    """

    snapshot: Snapshot | None = None
    trouble: str = "asking the daemon"
    tries: int = 0
    rates: Mapping[str, Rates] = field(default_factory=dict)
    happened: tuple[Happening, ...] = ()
    walk: Walk | None = None
    examined: Examination | None = None
    plans: Plans | None = None
    language: Language = Language.ENGLISH

    def conditions(self) -> tuple[Condition, ...]:
        """What is not as it should be, gravest first."""
        return self._said(conditions(self.snapshot)) if self.snapshot else ()

    def found(self) -> tuple[Condition, ...]:
        """What the last examination found, or, without one, what the snapshot shows."""
        return self._said(self.examined.conditions) if self.examined else self.conditions()

    def _said(self, found: tuple[Condition, ...]) -> tuple[Condition, ...]:
        return tuple(in_language(condition, self.language) for condition in found)


def heard(known: Known, snapshot: Snapshot) -> Known:
    """A snapshot came."""
    before = known.snapshot
    news = tuple(changes(before, snapshot)) if before else tuple(_earlier(snapshot))
    if known.trouble and known.tries:
        news = (*news, Happening(snapshot.at, Tone.GOOD, "the daemon answers again"))
    same = before is not None and _codes(before) == _codes(snapshot)
    return replace(
        known,
        examined=known.examined if same else None,
        plans=known.plans if before is not None and before.digest == snapshot.digest else None,
        snapshot=snapshot,
        trouble="",
        tries=0,
        rates=_rates(known.rates, before, snapshot),
        happened=(*known.happened, *news)[-_KEPT_EVENTS:],
    )


def _codes(snapshot: Snapshot) -> set[str]:
    return {found.code for found in conditions(snapshot)}


def lost(known: Known, trouble: str) -> Known:
    """Nothing came, and why."""
    happened = known.happened
    if not known.trouble and known.snapshot:
        happened = (*happened, Happening(known.snapshot.at, Tone.BAD, trouble))
    return replace(known, trouble=trouble, tries=known.tries + 1, happened=happened)


def answered(known: Known, op: str, answer: Mapping[str, Any]) -> Known:
    """The daemon answered a question. Raises `DoorError` if that can't be read."""
    if op == "why":
        return replace(known, walk=read_walk(answer))
    if op == "plan":
        return replace(known, plans=read(answer, Plans))
    if op == "doctor":
        return replace(known, examined=read_examination(answer))
    return known


def changes(before: Snapshot, after: Snapshot) -> Iterator[Happening]:
    """What a person would want to be told of the step from one snapshot to the next."""
    for tone, text in _changes(before, after):
        yield Happening(after.at, tone, text)


def _earlier(snapshot: Snapshot) -> Iterator[Happening]:
    """What the daemon remembers from before this terminal was opened."""
    for event in snapshot.events:
        yield Happening(event.at, Tone.WARN if event.active else Tone.GOOD, event_text(event))


def event_text(event: Event) -> str:
    """A condition that came or went."""
    return f"{event.code}: {event.text}" if event.active else f"{event.code}: over"


def _changes(before: Snapshot, after: Snapshot) -> Iterator[tuple[Tone, str]]:
    if before.identity != after.identity:
        yield Tone.STRONG, f"enrolled as {after.identity.name}" if after.identity else "no longer enrolled"
    if before.generation != after.generation:
        yield Tone.STRONG, f"plan: generation {before.generation} -> {after.generation}"
    if before.hub != after.hub:
        yield Tone.STRONG, f"traffic goes by {after.hub or 'no hub'} (was {before.hub or 'no hub'})"
    if before.control.connected != after.control.connected:
        yield _control(after)
    for name in sorted({*before.tunnels, *after.tunnels}):
        yield from _tunnel(name, before.tunnels.get(name), after.tunnels.get(name))
    for name in sorted({*before.services} & {*after.services}):
        was, now = before.services[name].tier, after.services[name].tier
        if was != now:
            yield (Tone.STRONG if now else Tone.BAD), f"service {name}: answered by {now or 'nobody'}"
    yield from _conditions(before, after)


def _control(after: Snapshot) -> tuple[Tone, str]:
    if after.control.connected:
        return Tone.GOOD, "control endpoint reached"
    return Tone.WARN, f"control endpoint lost: {after.control.error or 'no reason given'}"


def _tunnel(name: str, before: Tunnel | None, after: Tunnel | None) -> Iterator[tuple[Tone, str]]:
    if after is None:
        yield Tone.DIM, f"tunnel {name}: no longer in the plan"
    elif before is None:
        yield Tone.DIM, f"tunnel {name}: new, {'up' if after.up else 'down'}"
    elif before.up != after.up:
        reason = f": {after.reason}" if after.reason and not after.up else ""
        yield (
            (Tone.GOOD, f"tunnel {name} is up") if after.up else (Tone.BAD, f"tunnel {name} is down{reason}")
        )


def _conditions(before: Snapshot, after: Snapshot) -> Iterator[tuple[Tone, str]]:
    if before.state is not State.RUNNING and after.state is State.RUNNING:
        yield Tone.GOOD, "the device runs by its plan"
    were = {(found.code, found.text): found for found in conditions(before)}
    are = {(found.code, found.text): found for found in conditions(after)}
    known_codes = {code for code, _ in were}
    for key, found in are.items():
        if key not in were and found.code not in known_codes:
            yield tone_of(found.severity), f"{found.code}: {found.text}"
    # A consequence that its cause now hides is not over.
    hidden = {code for found in are.values() for code in found.hides}
    for code in sorted(known_codes - {code for code, _ in are} - hidden):
        yield Tone.GOOD, f"{code}: over"


def tone_of(severity: Severity) -> Tone:
    """How grave it is, as a tone."""
    if severity is Severity.INFO:
        return Tone.PLAIN
    return Tone.WARN if severity is Severity.DEGRADED else Tone.BAD


def _rates(rates: Mapping[str, Rates], before: Snapshot | None, after: Snapshot) -> Mapping[str, Rates]:
    seconds = (after.at - before.at).total_seconds() if before else 0.0
    if before is None or seconds <= 0:
        return rates
    made: dict[str, Rates] = {}
    for name, tunnel in after.tunnels.items():
        was = before.tunnels.get(name)
        kept = rates.get(name, Rates())
        if was is None or tunnel.bytes_in < was.bytes_in or tunnel.bytes_out < was.bytes_out:
            made[name] = kept  # A new SA counts from zero: that step says nothing.
            continue
        made[name] = Rates(
            (*kept.into, (tunnel.bytes_in - was.bytes_in) / seconds)[-_KEPT_RATES:],
            (*kept.out, (tunnel.bytes_out - was.bytes_out) / seconds)[-_KEPT_RATES:],
        )
    return made
