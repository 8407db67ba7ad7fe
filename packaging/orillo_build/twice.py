# SPDX-License-Identifier: Apache-2.0
"""`./dev build --twice`: the same source, built in another place, gives the same bytes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from orillo_build.compiler import BuildError

_PARTS = ("appliance", "packaging", "pyproject.toml", "requirements.lock")


def build_again(source: Path, architecture: str, jobs: int, check: Callable[[Path], None]) -> None:
    """Build a copy of `source` from nothing; `check` is called with the directory of programs."""
    with TemporaryDirectory(prefix="orillo-elsewhere-") as elsewhere:
        copy = Path(elsewhere) / "another/path/to/it"
        copy.mkdir(parents=True)
        for part in _PARTS:
            if (source / part).is_dir():
                shutil.copytree(source / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source / part, copy / part)
        line = [sys.executable, "-m", "orillo_build", "--force", "--quiet", "--jobs", str(jobs)]
        environment = {**os.environ, "PYTHONPATH": str(copy / "packaging")}
        if subprocess.run(line, cwd=copy, env=environment, check=False).returncode:
            raise BuildError("the copy of the source could not be built")
        check(copy / "build" / architecture / "orillo")


def differences(one: Path, other: Path) -> Iterator[str]:
    """The files that are not the same in both directories, by what differs."""
    names = {path.relative_to(root) for root in (one, other) for path in root.rglob("*") if path.is_file()}
    for name in sorted(names):
        here, there = one / name, other / name
        if not (here.is_file() and there.is_file()):
            yield f"{name}: only in one of them"
        elif (a := here.read_bytes()) != (b := there.read_bytes()):
            at = next(
                (at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
            )
            yield f"{name}: from byte {at} on, of {len(a)} and {len(b)}"
        elif here.stat().st_mode != there.stat().st_mode:
            yield f"{name}: another mode"
