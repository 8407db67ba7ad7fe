# SPDX-License-Identifier: Apache-2.0
"""One entry of the catalogue, and one sighting of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.netcore.health.condition import Severity

#: What tells two findings apart: the code, and what it is about.
Key = tuple[object, ...]


@dataclass(frozen=True)
class Words:
    """What is so, and what to do; `{name}` stands for what the finding is about."""

    text: str
    action: str


@dataclass(frozen=True)
class Kind:
    """A condition that can be found.

    `depends_on` are codes of possible causes: while one of them is there, this one is a consequence and not
    shown by itself. A daemon shows it once it was seen for `visible_after` seconds, and drops it when it was
    not seen for `clears_after` seconds; a single look, as `orillo doctor` takes, waits for neither.
    """

    code: str
    severity: Severity
    en: Words
    zh: Words
    depends_on: tuple[str, ...] = ()
    visible_after: float = 5.0
    clears_after: float = 0.0


@dataclass(frozen=True)
class Finding:
    """A condition as a check saw it. `about` names what it concerns (`link`, `peer`, ...)."""

    code: str
    evidence: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    severity: Severity | None = None

    @property
    def key(self) -> Key:
        return (self.code, *sorted(self.about.items()))


def may_concern_the_same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two findings can be about one thing: nothing that both name differs."""
    return all(one[name] == other[name] for name in one.keys() & other.keys())
