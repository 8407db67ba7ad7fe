# SPDX-License-Identifier: Apache-2.0
"""Where a report can be written to: removable disks that are mounted, by what the kernel says of them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

#: Never a place for people's files, whatever they are mounted from.
_NOT_THERE = ("/boot", "/proc", "/sys", "/dev", "/run/orillo")
_DIGITS = re.compile(r"\\([0-7]{3})")


def places(mounts: Path = Path("/proc/self/mounts"), sys: Path = Path("/sys")) -> tuple[str, ...]:
    """The mount points of removable or USB disks that can be written to, in their order."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(dict.fromkeys(_removable(lines, sys)))


def _removable(lines: list[str], sys: Path) -> Iterator[str]:
    for line in lines:
        device, point, _kind, options, *_ = [*line.split(), "", "", "", ""]
        where = _DIGITS.sub(lambda found: chr(int(found[1], 8)), point)
        if "rw" not in options.split(",") or where.startswith(_NOT_THERE):
            continue
        if device.startswith("/dev/") and _is_removable(Path(device), sys):
            yield where


def _is_removable(device: Path, sys: Path) -> bool:
    """By the disk that the partition is on: its `removable` flag (sysfs-block), or a USB bus above it."""
    name = Path(os.path.realpath(device)).name
    node = sys / "class/block" / name
    if not node.exists():
        return False
    real = node.resolve()
    disk = real.parent if (real / "partition").exists() else real
    try:
        return (disk / "removable").read_text().strip() == "1" or "/usb" in str(disk)
    except OSError:
        return False
