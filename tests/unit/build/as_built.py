# SPDX-License-Identifier: Apache-2.0
"""Import modules as a compiled program has them: what is forbidden is absent, what is trimmed is trimmed.

A program by itself: `python as_built.py PROGRAM MODULE ...` imports each and prints what was loaded.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from orillo_build.programs import PROGRAMS, Program
from orillo_build.trims import TRIMS, trimmed


class _TrimmingLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        source = self.get_source(fullname) or ""
        return compile(trimmed(fullname, source), self.path, "exec")


class _AsBuilt(MetaPathFinder):
    def __init__(self, program: Program) -> None:
        self._program = program

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if self._program.forbids(fullname):
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        if fullname not in {trim.module for trim in TRIMS}:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin:
            spec.loader = _TrimmingLoader(fullname, spec.origin)
        return spec


def main(name: str, *modules: str) -> None:
    """Import these, and print the names of all modules that are there then."""
    program = next(program for program in PROGRAMS if program.name == name)
    sys.meta_path.insert(0, _AsBuilt(program))
    for trim in TRIMS:
        # What this program itself brought in is not as built.
        sys.modules.pop(trim.module, None)
    for module in modules:
        importlib.import_module(module)
    sys.stdout.write("\n".join(sys.modules))


if __name__ == "__main__":
    main(*sys.argv[1:])
