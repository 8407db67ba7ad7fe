# SPDX-License-Identifier: Apache-2.0
"""Files that other programs read and that a power cut must not tear."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.netcore.errors import DoorError


def write_atomic(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` at `path` so that a reader, or the next boot, sees the old content or the new, never a part.

    Parent directories are made. The mode is exact, whatever the umask. Raises `DoorError`.
    """
    with _told("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
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
        sync(path.parent)


def read(path: Path) -> bytes | None:
    """The file's content, or None if there is no such file. Raises `DoorError`."""
    with _told("read", path):
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            # The last is a file of /proc whose process ended meanwhile.
            return None


def read_text(path: Path) -> str | None:
    """As `read`, decoded; bytes that are no UTF-8 are replaced, since no file of the host may stop us."""
    data = read(path)
    return None if data is None else data.decode(errors="replace")


def stamp(path: Path) -> tuple[int, int, int] | None:
    """What differs after the file was written or replaced; None if there is none. Raises `DoorError`."""
    with _told("look at", path):
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def mode_of(path: Path) -> int | None:
    """The permission bits, or None if there is no such file. Raises `DoorError`."""
    with _told("look at", path):
        try:
            return path.stat().st_mode & 0o7777
        except (FileNotFoundError, NotADirectoryError):
            return None


def remove(path: Path) -> bool:
    """Remove the file; whether it was there. Raises `DoorError`."""
    with _told("remove", path):
        try:
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        sync(path.parent)
        return True


def sync(path: Path) -> None:
    """Bring a file to disk, or what was renamed in a directory (fsync(2)). Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told(verb: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DoorError(f"can't {verb} {path}: {error.strerror}") from error
