# SPDX-License-Identifier: Apache-2.0
"""What is in an image: every package with its version, and why it was asked for."""

import json
from pathlib import Path

from orillo_image import board
from orillo_image.recipe import Recipe, firmware
from orillo_image.recipe import packages as asked


def installed(recipe: Recipe, root: Path) -> list[dict[str, str]]:
    """Every package with version, architecture, source and reason, by name."""
    reasons = asked(recipe) | firmware(recipe)
    paragraphs = _status(root / "var/lib/dpkg/status")
    if firmware(recipe):
        paragraphs += _status(root / board.STATUS)
    found = [
        {
            "name": fields["Package"],
            "version": fields["Version"],
            "architecture": fields["Architecture"],
            "source": fields.get("Source", fields["Package"]).partition(" ")[0],
            "reason": reasons.get(fields["Package"], "needed by another package"),
        }
        for fields in paragraphs
        if fields.get("Status", "").endswith(" installed")
    ]
    return sorted(found, key=lambda package: package["name"])


def manifest(recipe: Recipe, packages: list[dict[str, str]]) -> str:
    """The build manifest, as JSON."""
    document = {
        "compatible": recipe.compatible,
        "version": recipe.version,
        "time": recipe.epoch,
        "packages": packages,
    }
    return json.dumps(document, indent=1) + "\n"


def _status(path: Path) -> list[dict[str, str]]:
    """The paragraphs of dpkg's status file, without continuation lines."""
    return [
        dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        for paragraph in path.read_text(encoding="utf-8").split("\n\n")
        if paragraph.strip()
    ]
