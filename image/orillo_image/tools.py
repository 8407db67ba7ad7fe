# SPDX-License-Identifier: Apache-2.0
"""The programs that an image is made with."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

#: What we call, with the Debian package of each.
PACKAGES = {
    "mmdebstrap": "mmdebstrap",
    "mksquashfs": "squashfs-tools",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "genimage": "genimage",
    "rauc": "rauc",
    "openssl": "openssl",
    "zstd": "zstd",
}
_LOCALE = {"LC_ALL": "C.UTF-8"}


class ImageError(Exception):
    """The image can't be made; the text says what to do."""


def need_tools() -> None:
    """Raises `ImageError` with the packages that are missing."""
    missing = sorted({package for tool, package in PACKAGES.items() if shutil.which(tool) is None})
    if missing:
        raise ImageError(f"these Debian packages are missing: {', '.join(missing)}; install them")


def call(command: Sequence[str | Path], *, epoch: int, cwd: Path | None = None) -> str:
    """Run one of them to its end; its standard output. Raises `ImageError` with its last words."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=cwd,
        # The last is e2fsprogs' own way; in Debian 12 it knows no other.
        env=os.environ | dict.fromkeys(("SOURCE_DATE_EPOCH", "E2FSPROGS_FAKE_TIME"), str(epoch)) | _LOCALE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise ImageError(f"{words[0]} failed with status {done.returncode}; its last words:\n{last}")
    return done.stdout
