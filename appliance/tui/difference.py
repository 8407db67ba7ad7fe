# SPDX-License-Identifier: Apache-2.0
"""What differs between two plans, as people say it: what came, what went, what is otherwise now. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: These differ in every plan, and are said above the list.
_ALWAYS = ("generation", "issued_at", "author")


@dataclass(frozen=True)
class Difference:
    """One thing. `sign` is + (came), - (went) or ~ (otherwise); `path` are the names that lead to it."""

    sign: str
    path: tuple[str, ...]
    text: str = ""


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    """All differences of two documents, in the order of their names."""
    yield from _compare(
        {name: value for name, value in before.items() if name not in _ALWAYS},
        {name: value for name, value in after.items() if name not in _ALWAYS},
        (),
    )


def _compare(
    before: Mapping[str, Any], after: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[Difference]:
    for name in sorted({*before, *after}):
        here = (*path, name)
        if name not in before:
            yield Difference("+", here, _text(after[name]))
        elif name not in after:
            yield Difference("-", here)
        elif isinstance(before[name], dict) and isinstance(after[name], dict):
            yield from _compare(before[name], after[name], here)
        elif before[name] != after[name]:
            yield Difference("~", here, f"{_text(before[name])} -> {_text(after[name])}")


def _text(value: Any) -> str:
    """A value in short: of a map only that it is one, since its names say little on one line."""
    if isinstance(value, dict):
        return ""
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value) or "nothing"
    return "nothing" if value is None else str(value)
