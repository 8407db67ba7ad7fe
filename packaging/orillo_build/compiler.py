# SPDX-License-Identifier: Apache-2.0
"""The door to Nuitka: one program in, one directory out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from orillo_build.programs import Program

_HERE = Path(__file__).parent
#: The tree with the source of what is built.
SOURCE = _HERE.parents[1]
#: What Nuitka calls, with the Debian package of each.
_TOOLS = {"gcc": "gcc", "ccache": "ccache", "patchelf": "patchelf"}


class BuildError(Exception):
    """The build failed; the text says what to do."""


def compile_program(program: Program, work: Path, cache: Path, jobs: int) -> tuple[Path, Path]:
    """Compile into `work`; returns the standalone directory and Nuitka's report."""
    lacking = [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]
    if lacking:
        raise BuildError(f"these Debian packages are missing: {', '.join(lacking)}; install them")
    work.mkdir(parents=True, exist_ok=True)
    report = work / f"{program.name}.xml"
    log = work / f"{program.name}.log"
    with log.open("wb") as sink:
        done = subprocess.run(
            command(program, work, report, jobs),
            env=_environment(cache),
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise BuildError(f"the compiler failed; its last words, of {log}:\n{_tail(log)}")
    return work / f"{program.entry.stem}.dist", report


def command(program: Program, work: Path, report: Path, jobs: int) -> list[str]:
    """Nuitka's command line."""
    return [
        sys.executable,
        "-m",
        "nuitka",
        "--mode=standalone",
        "--lto=no",
        f"--jobs={jobs}",
        # No orders from PYTHON* variables, and no text that nobody reads.
        "--python-flag=isolated,no_site,no_docstrings,no_asserts",
        "--deployment",
        # It would bring multiprocessing in, which is forbidden.
        "--disable-plugin=multiprocessing",
        f"--user-plugin={_HERE / 'plugin.py'}",
        f"--nofollow-import-to={','.join(program.forbidden)}",
        *(f"--include-module={module}" for module in program.included),
        *(f"--include-package={package}" for package in program.packages),
        *(f"--include-package-data={package}" for package in program.data),
        f"--output-dir={work}",
        f"--output-filename={program.name}",
        f"--report={report}",
        str(program.entry),
    ]


def _environment(cache: Path) -> dict[str, str]:
    return {
        **os.environ,
        "NUITKA_CACHE_DIR": str(cache / "nuitka"),
        "CCACHE_DIR": str(cache / "ccache"),
        "PYTHONPATH": f"{SOURCE}:{SOURCE / 'packaging'}",
        # The same source gives the same constants.
        "PYTHONHASHSEED": "0",
        # Bytecode without column numbers is a tenth smaller, in the file and in the daemon's memory.
        "PYTHONNODEBUGRANGES": "1",
        "LC_ALL": "C.UTF-8",
    }


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
