# SPDX-License-Identifier: Apache-2.0
"""Files that a power cut must not tear and that others must not read."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_atomic(path: Path, data: bytes, mode: int) -> None:
    """Put `data` at `path`: a reader, or the next start, sees the old content or the new, never a part.

    The mode is exact from the first moment, whatever the umask. Raises `OSError`.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def make_private_directory(path: Path) -> None:
    """Make `path` and what is missing above it; `path` itself is for its owner only. Raises `OSError`.

    The root of a pod's volume is another's, and for our group: it stays as it is.
    """
    path.mkdir(parents=True, exist_ok=True)
    with suppress(PermissionError):
        path.chmod(0o700)


def _sync_directory(directory: Path) -> None:
    # A rename is on disk only when its directory is (fsync(2)).
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
