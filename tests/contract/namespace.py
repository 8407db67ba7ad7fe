# SPDX-License-Identifier: Apache-2.0
"""A network namespace of the test's own, for code that runs in the test's process.

The calling thread moves into a nameless namespace and back. The kernel removes it with the last socket in it,
so that there is nothing to clean up, whatever happens.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def own_namespace() -> Iterator[None]:
    """Be in an empty network namespace with `lo` up. For asyncio too: its loop is in the calling thread."""
    # /proc/self is the process's first thread, which need not be this one.
    home = os.open(Path("/proc/thread-self/ns/net"), os.O_RDONLY)
    try:
        _check(_libc.unshare(_CLONE_NEWNET))
        try:
            ip("link set lo up")
            yield
        finally:
            _check(_libc.setns(home, _CLONE_NEWNET))
    finally:
        os.close(home)


def ip(command: str, batch: str | None = None) -> str:
    """Run ip(8) in the namespace of the calling thread; its output. `batch` are the lines for `-batch -`."""
    argv = ["ip", *command.split()]
    return subprocess.run(argv, check=True, capture_output=True, text=True, input=batch).stdout


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
