# SPDX-License-Identifier: Apache-2.0
"""What the terminal knows: the newest snapshot, what came before it, and how the line to the daemon is.
Pure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from appliance.status.answers import Examination, Hop, Walk, read_examination, read_walk
from appliance.status.health import conditions
from appliance.status.model import Condition, Event, Severity, Snapshot, State, Tunnel
from appliance.status.speech import Language, in_language
from appliance.status.views import (
    Keys,
    LogLine,
    Logs,
    Lookup,
    NameCache,
    Peers,
    Plans,
    PodNetwork,
    Probed,
    Reinitiated,
    Uplinks,
    read,
)
from appliance.status.watching import DoorError
from appliance.tui.look import Tone

_KEPT_RATES = 48
_KEPT_EVENTS = 500
_KEPT_LINES = 1000
_KEPT_LOOKUPS = 5


@dataclass(frozen=True)
class Happening:
    """Something that changed between two snapshots; `text` is filled in with what it is `about`."""

    at: datetime
    tone: Tone
    text: str
    about: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Rates:
    """The bytes a second of one tunnel, oldest first."""

    into: tuple[float, ...] = ()
    out: tuple[float, ...] = ()


@dataclass(frozen=True)
class Journal:
    """The daemon's log as far as it was told; `run` is the start of it that the last line is from."""

    run: str = ""
    lines: tuple[LogLine, ...] = ()

    @property
    def newest(self) -> int:
        """The number of the last line."""
        return self.lines[-1].number if self.lines else 0


@dataclass(frozen=True)
class Known:
    """All that the screens are made of. `trouble` is why nothing new comes; empty while the line is good.

    `walk` (with `walking`, as far as it has come) and `examined` are the last answers to `why` and `doctor`.
    The fields with names of operations are their last answers, and `unanswered` why one has none.
    `places` are directories that a report can be written to.
    """

    snapshot: Snapshot | None = None
    trouble: str = "asking the daemon"
    tries: int = 0
    rates: Mapping[str, Rates] = field(default_factory=dict)
    happened: tuple[Happening, ...] = ()
    walk: Walk | None = None
    walking: bool = False
    examined: Examination | None = None
    uplinks: Uplinks | None = None
    peers: Peers | None = None
    dns: NameCache | None = None
    pods: PodNetwork | None = None
    plan: Plans | None = None
    keys: Keys | None = None
    journal: Journal = field(default_factory=Journal)
    lookups: tuple[Lookup, ...] = ()
    probed: Mapping[str, Probed] = field(default_factory=dict)
    reinitiated: Mapping[str, Reinitiated] = field(default_factory=dict)
    unanswered: Mapping[str, str] = field(default_factory=dict)
    places: tuple[str, ...] = ()
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
        plan=known.plan if before is not None and before.digest == snapshot.digest else None,
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
        happened = (*happened, Happening(known.snapshot.at, Tone.BAD, "{reason}", {"reason": trouble}))
    return replace(known, trouble=trouble, tries=known.tries + 1, happened=happened)


def answered(known: Known, op: str, answer: Mapping[str, Any]) -> Known:
    """The daemon answered a question. Raises `DoorError` if that can't be read."""
    known = replace(known, unanswered={one: why for one, why in known.unanswered.items() if one != op})
    match op:
        case "uplinks":
            return replace(known, uplinks=read(answer, Uplinks))
        case "peers":
            return replace(known, peers=read(answer, Peers))
        case "dns":
            return replace(known, dns=read(answer, NameCache))
        case "pods":
            return replace(known, pods=read(answer, PodNetwork))
        case "plan":
            return replace(known, plan=read(answer, Plans))
        case "keys":
            return replace(known, keys=read(answer, Keys))
        case _:
            return _remembered(known, op, answer)


def _remembered(known: Known, op: str, answer: Mapping[str, Any]) -> Known:
    """What was asked for by hand, beside earlier answers."""
    match op:
        case "why":
            return replace(known, walk=read_walk(answer), walking=False)
        case "doctor":
            return replace(known, examined=read_examination(answer))
        case "logs":
            return replace(known, journal=_longer(known.journal, read(answer, Logs)))
        case "lookup":
            found = read(answer, Lookup)
            others = (one for one in known.lookups if one.name != found.name)
            return replace(known, lookups=(found, *others)[:_KEPT_LOOKUPS])
        case "probe":
            probed = read(answer, Probed)
            return replace(known, probed={**known.probed, probed.peer: probed})
        case "reinitiate":
            anew = read(answer, Reinitiated)
            return replace(known, reinitiated={**known.reinitiated, anew.peer: anew})
    return known


def asked(known: Known, op: str, fields: Mapping[str, Any]) -> Known:
    """A question is on its way."""
    if op != "why":
        return known
    port = fields.get("port")
    walk = Walk(str(fields.get("a")), str(fields.get("b")), (), port if isinstance(port, int) else None)
    return replace(known, walk=walk, walking=True)


def partly(known: Known, op: str, part: Mapping[str, Any]) -> Known:
    """A part of an answer came. Raises `DoorError` if it can't be read."""
    if op != "why" or known.walk is None:
        return known
    hops = (*known.walk.hops, read(part, Hop))
    return replace(known, walk=msgspec.structs.replace(known.walk, hops=hops))


def part_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part that an answer is. Raises `DoorError` if it makes no sense."""
    part = answer["part"]
    if not isinstance(part, Mapping):
        raise DoorError("the daemon's answer can't be read: is it another version?")
    return part


def refused(known: Known, op: str, why: str) -> Known:
    """A question got no answer, and why."""
    return replace(known, unanswered={**known.unanswered, op: why}, walking=known.walking and op != "why")


def _longer(journal: Journal, told: Logs) -> Journal:
    newest = journal.newest if told.run == journal.run else 0
    fresh = [line for line in told.lines if line.number > newest]
    return Journal(told.run, (*journal.lines, *fresh)[-_KEPT_LINES:])


Change = tuple[Tone, str, Mapping[str, object]]


def changes(before: Snapshot, after: Snapshot) -> Iterator[Happening]:
    """What a person would want to be told of the step from one snapshot to the next."""
    for tone, text, about in _changes(before, after):
        yield Happening(after.at, tone, text, about)


def _earlier(snapshot: Snapshot) -> Iterator[Happening]:
    """What the daemon remembers from before this terminal was opened."""
    for event in snapshot.events:
        tone = Tone.WARN if event.active else Tone.GOOD
        yield Happening(event.at, tone, _event_text(event), {"code": event.code, "text": event.text})


def _event_text(event: Event) -> str:
    return "{code}: {text}" if event.active else "{code}: over"


def _changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    if before.identity != after.identity:
        name = after.identity.name if after.identity else ""
        yield Tone.STRONG, "enrolled as {name}" if name else "no longer enrolled", {"name": name}
    if before.generation != after.generation:
        generations = {"before": before.generation, "after": after.generation}
        yield Tone.STRONG, "plan: generation {before} -> {after}", generations
    if before.hub != after.hub:
        hubs = {"now": after.hub or "-", "before": before.hub or "-"}
        yield Tone.STRONG, "traffic goes by {now} (was {before})", hubs
    if before.control.connected != after.control.connected:
        yield _control(after)
    for name in sorted({*before.tunnels, *after.tunnels}):
        yield from _tunnel(name, before.tunnels.get(name), after.tunnels.get(name))
    for name in sorted({*before.services} & {*after.services}):
        was, now = before.services[name].tier, after.services[name].tier
        if was != now:
            text = "service {name}: answered by {tier}" if now else "service {name}: answered by nobody"
            yield (Tone.STRONG if now else Tone.BAD), text, {"name": name, "tier": now}
    yield from _conditions(before, after)


def _control(after: Snapshot) -> Change:
    if after.control.connected:
        return Tone.GOOD, "control endpoint reached", {}
    return Tone.WARN, "control endpoint lost: {reason}", {"reason": after.control.error or "-"}


def _tunnel(name: str, before: Tunnel | None, after: Tunnel | None) -> Iterator[Change]:
    if after is None:
        yield Tone.DIM, "tunnel {name}: no longer in the plan", {"name": name}
    elif before is None:
        yield Tone.DIM, "tunnel {name}: new", {"name": name}
    elif before.up != after.up and after.up:
        yield Tone.GOOD, "tunnel {name} is up", {"name": name}
    elif before.up != after.up:
        text = "tunnel {name} is down: {reason}" if after.reason else "tunnel {name} is down"
        yield Tone.BAD, text, {"name": name, "reason": after.reason}


def _conditions(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    if before.state is not State.RUNNING and after.state is State.RUNNING:
        yield Tone.GOOD, "the device runs by its plan", {}
    were, are = conditions(before), conditions(after)
    known_codes = {found.code for found in were}
    told = {(found.code, found.text) for found in were}
    for found in are:
        if (found.code, found.text) not in told and found.code not in known_codes:
            told.add((found.code, found.text))
            yield tone_of(found.severity), "{code}: {text}", {"code": found.code, "text": found.text}
    # A consequence that its cause now hides is not over.
    hidden = {code for found in are for code in found.hides}
    for code in sorted(known_codes - {found.code for found in are} - hidden):
        yield Tone.GOOD, "{code}: over", {"code": code}


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
