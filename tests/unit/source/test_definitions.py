# SPDX-License-Identifier: Apache-2.0
"""The definitions that are shipped are those that the types say."""

from pathlib import Path
from typing import Any

from cloud.source.definitions import definitions, write

SHIPPED = Path(__file__).parents[3] / "packaging/kubernetes/crds"


def test_shipped_definitions_are_up_to_date(tmp_path: Path) -> None:
    """If not: python -m cloud.source.definitions packaging/kubernetes/crds"""
    write(tmp_path)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert {path.name: path.read_text() for path in SHIPPED.iterdir()} == made


def test_schemas_are_structural() -> None:
    """Every value has a type, at every depth, or the API server would refuse the definition."""

    def check(schema: dict[str, Any], path: str) -> None:
        assert "type" in schema, path
        assert "$ref" not in schema
        for name, below in schema.get("properties", {}).items():
            check(below, f"{path}.{name}")
        for name in ("items", "additionalProperties"):
            if name in schema:
                check(schema[name], f"{path}.{name}")

    for name, definition in definitions().items():
        for version in definition["spec"]["versions"]:
            check(version["schema"]["openAPIV3Schema"], name)
