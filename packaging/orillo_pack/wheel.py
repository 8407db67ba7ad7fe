# SPDX-License-Identifier: Apache-2.0
"""A wheel of both programs: `pip install 'orillo[cloud]'` is the operator, where there is no Debian."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from orillo_build import stamp
from orillo_build.compiler import SOURCE, BuildError

_PARTS = ("appliance", "cloud", "pyproject.toml", "README.md", "LICENSE")


def make_wheel(out: Path, epoch: int) -> Path:
    """Build it in `out` from a copy of the tree, with the commit in it; returns its path.

    Raises `BuildError`.
    """
    tree = out / "wheel"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for name in _PARTS:
        source = SOURCE / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)
    built = tree / "appliance/built.py"
    built.write_text(stamp.stamped(built.read_text()))
    for old in out.glob("orillo-*.whl"):
        old.unlink()
    words = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--disable-pip-version-check")
    done = subprocess.run(
        [*words, "--wheel-dir", str(out), str(tree)],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"pip could not make the wheel: {done.stderr[-600:]}")
    return next(out.glob("orillo-*.whl"))
