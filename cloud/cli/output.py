# SPDX-License-Identifier: Apache-2.0
"""What verbs print: JSON, tables for people, warnings."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def print_json(value: Any) -> None:
    """The value on stdout, for programs and for people."""
    print(json.dumps(value, indent=2))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table as wide as its widest cells; what is not there is a hyphen."""
    table = [list(headings), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def warn(sentences: Iterable[str]) -> None:
    """Each sentence on a line of stderr."""
    for sentence in sentences:
        print(f"warning: {sentence}", file=sys.stderr)


def _cell(value: object) -> str:
    return "-" if value in (None, "") else str(value)
