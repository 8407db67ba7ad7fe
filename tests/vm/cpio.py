# SPDX-License-Identifier: Apache-2.0
"""An initial RAM disk: a cpio archive of the "newc" kind, as the kernel unpacks it.

https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
"""

import stat
from collections.abc import Iterator, Mapping

_MAGIC = "070701"
_END = "TRAILER!!!"


def archive(files: Mapping[str, bytes]) -> bytes:
    """Every file under its path, executable, with the directories that they need."""
    parts = []
    directories = sorted({parent for path in files for parent in _parents(path)})
    for number, path in enumerate(directories, 1):
        parts.append(_entry(number, path, stat.S_IFDIR | 0o755, b""))
    for number, (path, data) in enumerate(files.items(), len(directories) + 1):
        parts.append(_entry(number, path, stat.S_IFREG | 0o755, data))
    parts.append(_entry(0, _END, 0, b""))
    return b"".join(parts)


def _parents(path: str) -> Iterator[str]:
    """The directories above a path, without a leading slash."""
    words = path.split("/")[:-1]
    yield from ("/".join(words[: depth + 1]) for depth in range(len(words)))


def _entry(inode: int, path: str, mode: int, data: bytes) -> bytes:
    name = path.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    header = _MAGIC + "".join(f"{field:08x}" for field in fields)
    return _padded(header.encode() + name) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
