# SPDX-License-Identifier: Apache-2.0
"""What an image is asked to be, and which packages that takes."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orillo_image.tools import ImageError

HERE = Path(__file__).parents[1]
ARCHITECTURES = ("amd64", "arm64")
KERNELS = ("cloud", "full")


@dataclass(frozen=True)
class Board:
    """What differs between kinds of hardware."""

    #: The serial line that it talks on, by architecture.
    serial: Mapping[str, str]
    #: The first is taken unless another is asked for.
    kernels: tuple[str, ...]
    #: MiB of the EFI system partition, which holds two kernels and the board's firmware.
    esp: int
    #: Of Debian's archive.
    components: tuple[str, ...] = ("main",)
    #: Whether a loader in ROM wants the EFI system partition in an MBR too, beside the GPT.
    hybrid: bool = False


BOARDS = {
    "generic-uefi": Board({"amd64": "ttyS0", "arm64": "ttyAMA0"}, KERNELS, esp=160),
    # The cloud kernel has no driver for a Pi's card. Its firmware is not free software.
    "rpi": Board({"arm64": "ttyS1"}, ("full",), 256, ("main", "non-free-firmware"), hybrid=True),
}


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

    @property
    def hardware(self) -> Board:
        return BOARDS[self.board]


def kernel_for(board: str, arch: str, asked: str | None) -> str:
    """The kernel to take. Raises `ImageError` for what the board can't be."""
    hardware = BOARDS[board]
    if arch not in hardware.serial:
        raise ImageError(f"the board {board} is made for {', '.join(hardware.serial)} alone: add --arch")
    kernel = asked or hardware.kernels[0]
    if kernel not in hardware.kernels:
        raise ImageError(f"the board {board} needs the kernel {hardware.kernels[0]}, not {kernel}")
    return kernel


def packages(recipe: Recipe) -> dict[str, str]:
    """The packages to ask for, each with its reason. Raises `ImageError` for one without."""
    lists = _lists()
    asked: dict[str, str] = {**lists["base"], **lists["kernel"][recipe.kernel][recipe.arch]}
    asked |= lists["board"].get(recipe.board, {})
    if recipe.containers:
        asked |= lists["containers"]
    return _reasoned(asked)


def firmware(recipe: Recipe) -> dict[str, str]:
    """The packages whose files go to the boot partition alone, each with its reason."""
    return _reasoned(dict(_lists()["firmware"].get(recipe.board, {})))


def _lists() -> dict[str, Any]:
    return tomllib.loads((HERE / "packages.toml").read_text(encoding="utf-8"))


def _reasoned(asked: dict[str, str]) -> dict[str, str]:
    empty = [name for name, reason in asked.items() if not reason.strip()]
    if empty:
        raise ImageError(f"image/packages.toml gives no reason for: {', '.join(empty)}")
    return asked
