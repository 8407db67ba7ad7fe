# SPDX-License-Identifier: Apache-2.0
"""The real `orillo-launch` on a directory, with the package's own program beside it."""

import shutil
import subprocess
from pathlib import Path

from tests.unit.update.made import script

SOURCE = Path(__file__).parents[3] / "packaging/debian/orillo-launch"


def install(root: Path, program: bytes | None = None) -> Path:
    """As the package does; the launcher's path."""
    home = root / "usr/lib/orillo"
    (home / "lib").mkdir(parents=True)
    (home / "lib/part").write_text("part of package")
    (home / "orillo").write_bytes(program or script("package"))
    (home / "orillo").chmod(0o755)
    shutil.copy(SOURCE, home / "orillo-launch")
    return home / "orillo-launch"


def launch(root: Path, *words: str, env: dict[str, str] | None = None) -> str:
    """What starts, in its own words; empty for nothing that can start."""
    done = subprocess.run(
        [str(root / "usr/lib/orillo/orillo-launch"), "--root", str(root), *(words or ("run",))],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
        env=env,
    )
    return done.stdout.strip()


def whole(name: str) -> str:
    """What an undamaged release says."""
    return f"{name} part of {name}"
