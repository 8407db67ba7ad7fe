# SPDX-License-Identifier: Apache-2.0
"""The appliance of the release before, out of the repository's history."""

import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

from tests.lab.process import SOURCE

#: First light: until there is a release, the appliance that today's operator has to get on with.
COMMIT = "1bd60cc"


def previous(folder: Path) -> tuple[str, ...] | None:
    """The first words of its commands; None where there is no history, as in an unpacked archive."""
    words = ("git", "-C", str(SOURCE), "archive", COMMIT, "appliance")
    try:
        done = subprocess.run(words, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder)  # noqa: S202 -- our own history
    return ("env", f"PYTHONPATH={folder}", sys.executable, "-m", "appliance.cli.main")
