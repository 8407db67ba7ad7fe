# SPDX-License-Identifier: Apache-2.0
"""The compiled command that `./dev build` left."""

from pathlib import Path

from appliance.built import architecture
from tests.bench.outcome import CannotMeasureError

_BUILD = Path(__file__).parents[2] / "build"


def compiled(wanted: str | None = None) -> Path:
    """Its path, for this machine or another kind. Raises `CannotMeasureError` if it was not built."""
    binary = _BUILD / (wanted or architecture()) / "orillo/orillo"
    if not binary.exists():
        raise CannotMeasureError(f"there is no {binary}; ./dev build makes it")
    return binary
