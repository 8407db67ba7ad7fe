# SPDX-License-Identifier: Apache-2.0
"""What an image is asked to be, and which packages that takes."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from orillo_image.tools import ImageError

HERE = Path(__file__).parents[1]
ARCHITECTURES = ("amd64", "arm64")
BOARDS = ("generic-uefi", "rpi")
KERNELS = ("cloud", "full")
#: The serial line that a machine of this architecture talks on.
SERIAL = {"amd64": "ttyS0", "arm64": "ttyAMA0"}


@dataclass(frozen=True)
class Recipe:
    """One image: for which machine, with which kernel, of which package of ours."""

    arch: str
    board: str
    kernel: str
    containers: bool
    deb: Path
    version: str
    epoch: int

    @property
    def compatible(self) -> str:
        """Which bundles fit (RAUC's `compatible`): those for the same board, architecture and kernel."""
        return f"orillo-{self.board}-{self.arch}-{self.kernel}"


def packages(recipe: Recipe) -> dict[str, str]:
    """The packages to ask for, each with its reason. Raises `ImageError` for one without."""
    lists = tomllib.loads((HERE / "packages.toml").read_text(encoding="utf-8"))
    kernel = "rpi" if recipe.board == "rpi" else recipe.kernel
    asked: dict[str, str] = {**lists["base"], **lists["kernel"][kernel][recipe.arch]}
    if recipe.containers:
        asked |= lists["containers"]
    empty = [name for name, reason in asked.items() if not reason.strip()]
    if empty:
        raise ImageError(f"image/packages.toml gives no reason for: {', '.join(empty)}")
    return asked
