# SPDX-License-Identifier: Apache-2.0
"""From findings to what is told: causes before consequences, and nothing that only flickers. Pure."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.netcore.health.catalogue import CATALOGUE, KINDS
from appliance.netcore.health.condition import Condition, Event, Severity, rank
from appliance.netcore.health.kind import Finding, Key, may_concern_the_same
from appliance.netcore.health.words import Language, say

_PLACE = {kind.code: place for place, kind in enumerate(CATALOGUE)}


def explains(cause: Finding, effect: Finding) -> bool:
    """Whether `effect` is a direct consequence of `cause`."""
    return cause.code in KINDS[effect.code].depends_on and may_concern_the_same(cause.about, effect.about)


def conclude(
    findings: Iterable[Finding], since: Mapping[Key, datetime] | None = None, shown: Set[Key] | None = None
) -> tuple[Condition, ...]:
    """The causes among the findings, gravest first, then as the catalogue has them: from the box outwards.

    A cause is as grave as the gravest of its consequences. `shown` are the keys that may be told already; one
    that may not still hides its consequences.
    """
    unique = {finding.key: finding for finding in findings}
    effects = {
        key: [other for other in unique.values() if other is not finding and explains(finding, other)]
        for key, finding in unique.items()
    }
    hidden = {effect.key for found in effects.values() for effect in found}
    told = [
        _condition(finding, _all_effects(key, effects), (since or {}).get(key))
        for key, finding in unique.items()
        if key not in hidden and (shown is None or key in shown)
    ]
    return tuple(sorted(told, key=lambda one: (-rank(one.severity), _PLACE[one.code])))


def _all_effects(key: Key, effects: Mapping[Key, list[Finding]]) -> list[Finding]:
    """The consequences, theirs, and so on."""
    found: dict[Key, Finding] = {}
    waiting = list(effects[key])
    while waiting:
        effect = waiting.pop(0)
        if effect.key not in found:
            found[effect.key] = effect
            waiting += effects[effect.key]
    return list(found.values())


def _severity(finding: Finding) -> Severity:
    return finding.severity or KINDS[finding.code].severity


def _condition(finding: Finding, effects: list[Finding], since: datetime | None) -> Condition:
    words = say(finding.code, finding.about, Language.ENGLISH)
    return Condition(
        code=finding.code,
        severity=max(map(_severity, (finding, *effects)), key=rank),
        text=words.text,
        remedy=words.action,
        evidence=finding.evidence,
        about=dict(finding.about),
        since=since,
        hides=tuple(dict.fromkeys(effect.code for effect in effects)),
    )


@dataclass
class _Seen:
    finding: Finding
    first: datetime
    last: datetime
    visible: bool = False


class Board:
    """The conditions of a running daemon: what was seen for long enough, until it was gone for long enough.

    `events` is what came and went, oldest first.
    """

    def __init__(self, keep: int = 100) -> None:
        self._seen: dict[Key, _Seen] = {}
        self._keep = keep
        self.events: tuple[Event, ...] = ()
        self.conditions: tuple[Condition, ...] = ()

    def update(self, findings: Iterable[Finding], now: datetime) -> tuple[Condition, ...]:
        """Take one look's findings in; the conditions as of now."""
        for finding in findings:
            seen = self._seen.setdefault(finding.key, _Seen(finding, now, now))
            seen.finding, seen.last = finding, now
        self._seen = {key: seen for key, seen in self._seen.items() if not _is_over(seen, now)}
        for seen in self._seen.values():
            lasted = (now - seen.first).total_seconds()
            seen.visible = seen.visible or lasted >= KINDS[seen.finding.code].visible_after
        before = self.conditions
        self.conditions = conclude(
            [seen.finding for seen in self._seen.values()],
            {key: seen.first for key, seen in self._seen.items()},
            {key for key, seen in self._seen.items() if seen.visible},
        )
        self._note(before, now)
        return self.conditions

    @property
    def pending(self) -> bool:
        """Whether time alone may change something."""
        return bool(self._seen)

    def _note(self, before: tuple[Condition, ...], now: datetime) -> None:
        was = {(one.code, one.text): one for one in before}
        now_is = {(one.code, one.text): one for one in self.conditions}
        came = [Event(now, one.code, one.text) for key, one in now_is.items() if key not in was]
        went = [Event(now, one.code, one.text, active=False) for key, one in was.items() if key not in now_is]
        self.events = (*self.events, *went, *came)[-self._keep :]


def _is_over(seen: _Seen, now: datetime) -> bool:
    return now > seen.last and now - seen.last >= timedelta(seconds=KINDS[seen.finding.code].clears_after)
