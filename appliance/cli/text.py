# SPDX-License-Identifier: Apache-2.0
"""Text for a terminal of 80 columns, and JSON for programs."""

from collections.abc import Sequence
from typing import Any

from appliance.netcore.plan.values import encode

WIDTH = 80


def print_json(document: Any) -> None:
    """One line of JSON on standard output."""
    print(encode(document).decode())


def clip(text: str, width: int = WIDTH) -> str:
    """The text, cut with an ellipsis where it is longer than the width."""
    return text if len(text) <= width else text[: width - 3] + "..."


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows in columns under their heads, each line clipped to the width."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [
        clip("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        for line in lines
    ]
