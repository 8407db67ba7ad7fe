# SPDX-License-Identifier: Apache-2.0
"""What a benchmark found, as the one JSON line that ends its output."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """One figure beside its target; `detail` holds the baseline, the spread and what explains the figure."""

    bench: str
    target: float
    value: float
    unit: str
    ok: bool
    detail: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=False)


class CannotMeasureError(Exception):
    """The benchmark can't run here; the text says what is missing."""


def say(text: str) -> None:
    """A line of progress, beside the output proper."""
    print(f"bench: {text}", file=sys.stderr, flush=True)
