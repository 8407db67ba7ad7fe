# SPDX-License-Identifier: Apache-2.0
"""What came of the checks: a table for people, one line of JSON for programs."""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass

_ID_WIDTH = 19
_DETAIL_WIDTH = 84


@dataclass(frozen=True)
class Outcome:
    """What came of one check."""

    id: str
    ok: bool
    detail: str
    seconds: float


def table(outcomes: Sequence[Outcome], skipped: Sequence[str]) -> str:
    """A row for each check; long details go on below."""
    rows = []
    for outcome in outcomes:
        verdict = "skip" if outcome.id in skipped else "ok" if outcome.ok else "FAIL"
        first, *others = textwrap.wrap(outcome.detail, _DETAIL_WIDTH) or [""]
        rows.append(f"{outcome.id:<{_ID_WIDTH}} {verdict:<4} {outcome.seconds:>5.1f} s  {first}")
        rows += [" " * (_ID_WIDTH + 14) + line for line in others]
    return "\n".join(rows)


def as_json(outcomes: Sequence[Outcome], seconds: float) -> str:
    """One line: whether all hold, how long it took, and each check."""
    checks = [asdict(outcome) | {"seconds": round(outcome.seconds, 1)} for outcome in outcomes]
    return json.dumps(
        {
            "ok": bool(outcomes) and all(outcome.ok for outcome in outcomes),
            "seconds": round(seconds, 1),
            "checks": checks,
        },
        ensure_ascii=False,
    )
