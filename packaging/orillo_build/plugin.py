# SPDX-License-Identifier: Apache-2.0
"""Nuitka's side of the build: which modules become C, which stay bytecode, and what is trimmed.

Nuitka loads this file itself, outside its package.
"""

from functools import cache
from pathlib import Path
from typing import Any

from nuitka.freezer import ImportDetection
from nuitka.plugins.PluginBase import NuitkaPluginBase

from orillo_build.programs import is_of_others
from orillo_build.stamp import MODULE, stamped
from orillo_build.trims import trimmed

# Nuitka would take in the whole standard library, in case a program imports by string. Ours does not; what is
# left is what some module imports, and what `Program.included` names.
ImportDetection._stdlib_modules_names = ()  # noqa: SLF001 -- there is no option for it

_C_CODE = ("exec_once.c", "libc.c", "plain_malloc.c")


@cache
def _leave_out_annotations() -> None:
    """Of functions: a table for each, which nobody reads.

    Classes keep theirs, which `dataclass` and msgspec read; Nuitka's option takes both away.
    """
    # Only now: this part of Nuitka can't be imported before it has read its options.
    from nuitka.tree import ReformulationFunctionStatements

    ReformulationFunctionStatements.buildParameterAnnotations = lambda *_words: None


class OrilloPlugin(NuitkaPluginBase):  # type: ignore[misc]  # Nuitka has no types
    """Our own packages to C, all others as they are."""

    plugin_name = "orillo"
    plugin_desc = "own packages to C, packages of others trimmed and as bytecode"

    @staticmethod
    def isAlwaysEnabled() -> bool:
        """Without being asked for."""
        return True

    def decideCompilation(self, module_name: Any) -> str | None:
        """`bytecode` for a module of others; else Nuitka decides."""
        return "bytecode" if is_of_others(module_name.asString()) else None

    def getPreprocessorSymbols(self, onefile: bool) -> dict[str, str]:
        """Bytecode of modules is executed by a function of ours (`exec_once.c`)."""
        del onefile
        return {"PyImport_ExecCodeModuleObject": "orillo_exec_once"}

    def getExtraCodeFiles(self) -> dict[str, str]:
        """What of ours is C; each file says why."""
        return {f"orillo_{name}": (Path(__file__).parent / name).read_text() for name in _C_CODE}

    def onModuleSourceCode(self, module_name: Any, source_filename: str, source_code: str) -> str:
        """The source as it is built."""
        del source_filename
        _leave_out_annotations()
        name = module_name.asString()
        return stamped(source_code) if name == MODULE else trimmed(name, source_code)
