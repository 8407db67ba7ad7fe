# SPDX-License-Identifier: Apache-2.0
"""The bill of materials of an image: Debian's packages, and what is inside our own (CycloneDX 1.5)."""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orillo_image.recipe import Recipe

#: What serial numbers of bills are made from (RFC 9562, version 5).
_SPACE = uuid.UUID("6f2b1f0e-3f0c-5d52-9c1a-0a1c5e8a7411")
_DISTRIBUTION = "debian-12"
OURS = "orillo"


def bill(recipe: Recipe, packages: list[dict[str, str]], inside: Path) -> str:
    """As JSON, from the manifest's packages; `inside` is the bill that our own package brings."""
    own = f"pkg:generic/{recipe.compatible}@{recipe.version}"
    listed = [_component(package, inside) for package in packages]
    serial = uuid.uuid5(_SPACE, json.dumps([own, listed], sort_keys=True))
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": f"{datetime.fromtimestamp(recipe.epoch, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "component": {
                "type": "operating-system",
                "bom-ref": own,
                "name": recipe.compatible,
                "version": recipe.version,
            },
        },
        "components": listed,
        "dependencies": [{"ref": own, "dependsOn": [one["bom-ref"] for one in listed]}],
    }
    return json.dumps(document, indent=1) + "\n"


def _component(package: dict[str, str], inside: Path) -> dict[str, Any]:
    name, version = package["name"], package["version"]
    purl = f"pkg:deb/debian/{name}@{quote(version)}?arch={package['architecture']}&distro={_DISTRIBUTION}"
    if name == OURS:
        purl = f"pkg:generic/{name}@{quote(version)}?arch={package['architecture']}"
    document: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "description": package["reason"],
    }
    if name == OURS and inside.exists():
        document |= {"type": "application", "components": json.loads(inside.read_text())["components"]}
    return document
