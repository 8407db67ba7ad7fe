# SPDX-License-Identifier: Apache-2.0
"""The rules of the house, as tests: linters, types, import contracts, licence headers."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAMS = {
    "format": ("ruff", "format", "--check", "."),
    "lint": ("ruff", "check", "."),
    "types": (sys.executable, "-m", "mypy"),
    "imports": ("lint-imports",),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_finds_nothing(program: str) -> None:
    """Warnings are errors."""
    done = subprocess.run(PROGRAMS[program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def tracked(*patterns: str) -> list[Path]:
    """The files of the tree that git knows."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).exists()]


def test_every_source_file_names_its_licence() -> None:
    """SPDX in the first two lines (a script has its interpreter in the first)."""
    files = [*tracked("*.py", "*.sh"), ROOT / "dev", ROOT / ".ci/run"]
    bare = [
        str(path.relative_to(ROOT))
        for path in files
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in path.read_text().split("\n")[:2])
    ]
    assert bare == []


def test_lock_file_pins_with_hashes_and_names_no_index() -> None:
    """Whoever installs from it gets these bytes, from wherever their own client is set up to look."""
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    assert all("==" in line and line.rstrip().endswith("\\") for line in pins)
