# SPDX-License-Identifier: Apache-2.0
"""Conclusions on a terminal of 80 columns, in the language of its locale."""

import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from unicodedata import east_asian_width

from appliance.cli.errors import Exit
from appliance.cli.text import WIDTH
from appliance.netcore.health.condition import Condition, Severity
from appliance.netcore.health.words import Language, choose_language, say, seen

VERDICT = {
    Severity.INFO: ("healthy", Exit.OK),
    Severity.DEGRADED: ("degraded", Exit.DEGRADED),
    Severity.FAULT: ("fault", Exit.FAULT),
}
_LABELS = {
    Language.ENGLISH: {
        Severity.FAULT: "FAULT",
        Severity.DEGRADED: "DEGRADED",
        Severity.INFO: "note",
        "seen": "seen",
        "do": "do",
        "hides": "explains",
        "first": "First cause",
        "also": "Also",
        "well": "All {count} checks are well.",
        "took": "{count} checks in {seconds:.1f} s",
    },
    Language.CHINESE: {
        Severity.FAULT: "故障",
        Severity.DEGRADED: "降级",
        Severity.INFO: "提示",
        "seen": "现象",
        "do": "处理",
        "hides": "由此引起",
        "first": "首要原因",
        "also": "另外",
        "well": "全部 {count} 项检查正常。",
        "took": "{count} 项检查，用时 {seconds:.1f} 秒",
    },
}


def language() -> Language:
    """That of the terminal in front of us."""
    return choose_language(os.environ)


def label(name: str, tongue: Language) -> str:
    """A fixed word."""
    labels: Mapping[str, str] = _LABELS[tongue]
    return labels[name]


def render(conditions: Sequence[Condition], tongue: Language) -> Iterator[str]:
    """The first cause with all that belongs to it, then the others."""
    first, *others = conditions
    yield f"{label('first', tongue)}:"
    yield from one(first, tongue)
    if others:
        yield ""
        yield f"{label('also', tongue)}:"
        for condition in others:
            yield from one(condition, tongue)


def one(condition: Condition, tongue: Language) -> Iterator[str]:
    """One condition: what is so, what shows it, what to do, and what it explains."""
    words = say(condition.code, condition.about, tongue)
    yield from wrap(f"{label(condition.severity, tongue)}  {words.text} [{condition.code}]", "  ", "    ")
    if condition.evidence:
        yield from wrap(
            seen(condition.code, condition.evidence, tongue), f"    {label('seen', tongue)}: ", "      "
        )
    yield from wrap(words.action, f"    {label('do', tongue)}: ", "      ")
    if condition.hides:
        yield from wrap(", ".join(condition.hides), f"    {label('hides', tongue)}: ", "      ")


def wrap(text: str, first: str, rest: str) -> list[str]:
    """The text in lines of the terminal's width; Chinese characters take two columns and break anywhere."""
    if all(east_asian_width(letter) not in "WF" for letter in text):
        lines = textwrap.wrap(
            text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
        )
        return lines or [first]
    lines, line = [], first
    for letter in text:
        if columns(line) + columns(letter) > WIDTH:
            lines.append(line)
            line = rest
        line += letter
    return [*lines, line]


def columns(text: str) -> int:
    """How wide a text is on a terminal."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
