# SPDX-License-Identifier: Apache-2.0
"""What a compiled program holds, by the compiler's own report, and what of it must not be there."""

import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orillo_build.programs import Program


@dataclass(frozen=True)
class Module:
    """One module in a program: how it is there (`compiled`, `bytecode`, `extension`), and for whom."""

    name: str
    kind: str
    wanted_by: tuple[str, ...]


_KINDS = {
    "CompiledPythonModule": "compiled",
    "CompiledPythonPackage": "compiled",
    "PythonMainModule": "compiled",
    "UncompiledPythonModule": "bytecode",
    "UncompiledPythonPackage": "bytecode",
    "PythonExtensionModule": "extension",
}


def read_report(report: Path) -> tuple[Module, ...]:
    """The modules in Nuitka's XML report, by name."""
    root = ElementTree.parse(report).getroot()  # noqa: S314 -- written by our own compiler run
    elements = {element.get("name", ""): element for element in root.iter("module")}
    users: dict[str, set[str]] = {name: set() for name in elements}
    for name, element in elements.items():
        for use in element.iter("module_usage"):
            users.get(use.get("name", ""), set()).add(name)
    return tuple(
        Module(name, _kind(element), tuple(sorted(users[name]))) for name, element in sorted(elements.items())
    )


def _kind(element: ElementTree.Element) -> str:
    kind = element.get("kind", "")
    return _KINDS.get(kind, kind)


def forbidden(program: Program, modules: Sequence[Module]) -> tuple[Module, ...]:
    """What is there and must not be."""
    return tuple(module for module in modules if program.forbids(module.name))


def summary(program: Program, modules: Sequence[Module], directory: Path) -> str:
    """The build report, as JSON: how large, what is included by package and kind, and why."""
    packages = Counter((module.name.partition(".")[0], module.kind) for module in modules)
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    document = {
        "program": program.name,
        "bytes": sum(path.stat().st_size for path in files),
        "files": {str(path.relative_to(directory)): path.stat().st_size for path in files},
        "packages": [
            {"package": package, "kind": kind, "modules": count}
            for (package, kind), count in sorted(packages.items())
        ],
        "modules": {module.name: {"kind": module.kind, "wanted_by": module.wanted_by} for module in modules},
    }
    return json.dumps(document, indent=1, default=list) + "\n"
