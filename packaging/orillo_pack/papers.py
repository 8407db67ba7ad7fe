# SPDX-License-Identifier: Apache-2.0
"""The papers that go with the programs: what is in them (CycloneDX 1.5), and under which licences."""

import json
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orillo_pack.contents import Component

BILL, LICENCES = "sbom.cdx.json", "third-party-licences.txt"
#: Ours: what serial numbers of bills are made from (RFC 9562, version 5).
_SPACE = uuid.UUID("6f2b1f0e-3f0c-5d52-9c1a-0a1c5e8a7410")
_SPDX = re.compile(r"[A-Za-z0-9.+-]+( (OR|AND|WITH) [A-Za-z0-9.+-]+)*")
_KNOWN = re.compile(
    r"(MIT|MIT-0|Apache-2\.0|BSD-[23]-Clause|MPL-2\.0|PSF-2\.0|Python-2\.0|[A-Z]+-[\d.]+.*)( |$)"
)


def write(
    directory: Path, found: Sequence[Component], *, name: str, version: str, commit: str, epoch: int
) -> None:
    """Both papers, into `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    bill = bill_of_materials(found, name=name, version=version, commit=commit, epoch=epoch)
    (directory / BILL).write_text(json.dumps(bill, indent=1) + "\n")
    (directory / LICENCES).write_text(licences(found))


def bill_of_materials(
    found: Sequence[Component], *, name: str, version: str, commit: str, epoch: int
) -> dict[str, Any]:
    """As CycloneDX 1.5; the same input gives the same document."""
    own = f"pkg:generic/{name}@{version}"
    listed = [_component(one) for one in found]
    serial = uuid.uuid5(_SPACE, json.dumps([own, commit, listed], sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": name,
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "properties": [{"name": "orillo:commit", "value": commit}],
            },
        },
        "components": listed,
        "dependencies": [{"ref": own, "dependsOn": [one.purl for one in found]}],
    }


def _component(one: Component) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": "library",
        "bom-ref": one.purl,
        "name": one.name,
        "version": one.version,
        "licenses": [_licence(one.licence)],
        "purl": one.purl,
    }
    if one.sha256:
        document["hashes"] = [{"alg": "SHA-256", "content": one.sha256}]
    if one.note:
        document["description"] = one.note
    return document


def _licence(text: str) -> dict[str, Any]:
    if _SPDX.fullmatch(text) and _KNOWN.match(text):
        return {"expression": text}
    return {"license": {"name": text}}


def licences(found: Sequence[Component]) -> str:
    """Every component with its licence, and the texts."""
    parts = [
        "Orillo is licensed under Apache-2.0. Its programs hold what others made, under their licences:\n",
        *(
            f"  {one.name} {one.version}: {one.licence}{f' ({one.note})' if one.note else ''}"
            for one in found
        ),
        "",
    ]
    for one in found:
        parts.append(f"{'=' * 78}\n{one.name} {one.version}: {one.licence}\n{'=' * 78}\n")
        parts += [f"{path.name}:\n\n{path.read_text(errors='replace').rstrip()}\n" for path in one.texts]
        if not one.texts:
            parts.append("(it came without a text of its licence)\n")
    return "\n".join(parts)
