# SPDX-License-Identifier: Apache-2.0
"""The lock that makes one process the store's only writer.

It is an flock(2), which the kernel drops when its holder ends, however it ends.
"""

import fcntl
import os
from pathlib import Path
from typing import Self


class WriterLock:
    """The lock, held from `take` until `release` or the end of a `with` block."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """Hold the lock at `path`, or None if another process does. Raises `OSError`."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            os.close(handle)
            raise
        return cls(handle)

    def release(self) -> None:
        """Let the next process have it."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
