# SPDX-License-Identifier: Apache-2.0
"""A container image as a run time has it: its layer unpacked, and what its configuration says."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.command import LabError, attempt


@dataclass(frozen=True)
class Image:
    """The root file system, and the configuration's part for run times (image-spec, "config")."""

    root: Path
    config: dict[str, Any]


def unpack(archive: Path, place: Path) -> Image:
    """Unpack an OCI layout in a tar with one image of one layer. Raises `LabError`."""
    _untar(archive, place / "layout")
    blobs = place / "layout/blobs"
    index = json.loads((place / "layout/index.json").read_text())
    manifest = json.loads((blobs / index["manifests"][0]["digest"].replace(":", "/")).read_text())
    (layer,) = manifest["layers"]
    _untar(blobs / layer["digest"].replace(":", "/"), place / "rootfs")
    config = json.loads((blobs / manifest["config"]["digest"].replace(":", "/")).read_text())
    return Image(place / "rootfs", config["config"])


def _untar(archive: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    done = attempt("tar", "-xf", str(archive), "-C", str(folder), timeout=120)
    if not done.ok:
        raise LabError(f"{archive} can't be unpacked: {done.text}")
