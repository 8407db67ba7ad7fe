# SPDX-License-Identifier: Apache-2.0
"""The compiled command that `./dev build` left."""

import platform
from pathlib import Path

from tests.bench.outcome import CannotMeasureError

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_BUILD = Path(__file__).parents[2] / "build"


def compiled(architecture: str | None = None) -> Path:
    """Its path, for this machine or another kind. Raises `CannotMeasureError` if it was not built."""
    machine = platform.machine()
    binary = _BUILD / (architecture or _ARCHITECTURES.get(machine, machine)) / "orillo/orillo"
    if not binary.exists():
        raise CannotMeasureError(f"there is no {binary}; ./dev build makes it")
    return binary
