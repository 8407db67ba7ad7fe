# SPDX-License-Identifier: Apache-2.0
"""The steps on a disk of which putting a release there is made, each as small as the disk does it.

So small that a test can take the power away between any two. Nothing is on disk for certain before a `sync`:
of a file for its content, of a directory for the names in it (fsync(2)).
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.netcore.errors import DoorError


class Disk:
    """The real one. Every method raises `DoorError`; paths are absolute."""

    def names(self, directory: Path) -> tuple[str, ...]:
        """What is in a directory; nothing if there is none."""
        with _told("read", directory):
            try:
                return tuple(sorted(path.name for path in directory.iterdir()))
            except FileNotFoundError:
                return ()

    def read(self, path: Path) -> bytes | None:
        """A file's content; None if there is none."""
        with _told("read", path):
            try:
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def target(self, link: Path) -> str | None:
        """Where a symbolic link points; None if there is none."""
        with _told("read", link):
            return str(link.readlink()) if link.is_symlink() else None

    def make_directory(self, path: Path, mode: int = 0o755) -> None:
        """Make a directory and those above it; one that is there already is good, whatever its mode."""
        with _told("make", path):
            if not path.is_dir():
                path.mkdir(parents=True)
                path.chmod(mode)

    def write(self, path: Path, data: bytes, mode: int = 0o644) -> None:
        """Write a file, or write it over."""
        with _told("write", path):
            path.unlink(missing_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(data)

    def link(self, path: Path, target: str) -> None:
        """Make a symbolic link where nothing is."""
        with _told("make", path):
            path.symlink_to(target)

    def sync(self, path: Path) -> None:
        """Have a file's content, or a directory's names, on disk before going on."""
        with _told("sync", path):
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def move(self, path: Path, name: str) -> None:
        """Give it another name in its directory, in place of what has that name (rename(2))."""
        with _told("rename", path):
            path.replace(path.with_name(name))

    def remove(self, path: Path) -> None:
        """Remove a file or a link; absent is good."""
        with _told("remove", path):
            path.unlink(missing_ok=True)

    def remove_tree(self, path: Path) -> None:
        """Remove a directory with all that is in it; absent is good."""
        with _told("remove", path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)

    def free(self, path: Path) -> int:
        """The bytes that are left for root on the disk of `path`."""
        with _told("look at the disk of", path):
            found = os.statvfs(path)
            return found.f_bfree * found.f_frsize


@contextmanager
def _told(verb: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DoorError(f"can't {verb} {path}: {error.strerror}") from error
