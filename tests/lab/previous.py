# SPDX-License-Identifier: Apache-2.0
"""The appliance of the release before, out of the repository's history, with the packages that it had."""

import hashlib
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

from tests.lab.process import SOURCE

#: First light: until there is a release, the appliance that today's operator has to get on with.
COMMIT = "1bd60cc"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orillo"
_PYTHON = "/usr/bin/python3"


def previous(folder: Path) -> tuple[str, ...] | None:
    """The first words of its commands; None where there is no history, as in an unpacked archive."""
    try:
        lock, tree = _git("show", f"{COMMIT}:requirements.lock"), _git("archive", COMMIT, "appliance")
    except (OSError, subprocess.CalledProcessError):
        return None
    with tarfile.open(fileobj=BytesIO(tree)) as archive:
        archive.extractall(folder)  # noqa: S202 -- our own history
    # -P: the working directory may be today's tree, and would be looked in first.
    return ("env", f"PYTHONPATH={folder}", str(_environment(lock)), "-P", "-m", "appliance.cli.main")


def _git(*words: str) -> bytes:
    return subprocess.run(("git", "-C", str(SOURCE), *words), capture_output=True, check=True).stdout


def _environment(lock: bytes) -> Path:
    """The interpreter of an environment with these packages: where `./dev` has it, or made there, once."""
    if lock == (SOURCE / "requirements.lock").read_bytes():
        return Path(sys.executable)
    version = subprocess.run((_PYTHON, "--version"), capture_output=True, check=True).stdout
    environment = _CACHE / f"venv-{hashlib.sha256(lock + version).hexdigest()[:16]}"
    if not (environment / "complete").exists():
        environment.mkdir(parents=True, exist_ok=True)
        (environment / "requirements.lock").write_bytes(lock)
        subprocess.run((_PYTHON, "-m", "venv", "--clear", str(environment)), check=True)
        wanted = environment / "requirements.lock"
        wanted.write_bytes(lock)
        pip = (str(environment / "bin/pip"), "install", "-q", "--disable-pip-version-check")
        subprocess.run((*pip, "--require-hashes", "-r", str(wanted)), check=True)
        (environment / "complete").touch()
    return environment / "bin/python"
