# SPDX-License-Identifier: Apache-2.0
"""A release file: a tar of three members, so that any tar shows it, in an order that allows to refuse early.

    manifest.json     what it is (`Manifest`)
    signature.json    who signed the manifest
    files.tar.xz      the programs; its digest is in the manifest

Nothing of the third is looked at before manifest, signature and digest were found good.
"""

import hashlib
import io
import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from appliance.update.manifest import Manifest, ReleaseError, read_manifest
from appliance.update.signature import Keys, verify

MANIFEST, SIGNATURE, FILES = "manifest.json", "signature.json", "files.tar.xz"
_LARGEST_HEAD = 1 << 20
_PIECE = 1 << 18
_DAMAGED = "the release file is damaged or cut short: fetch it again"


@dataclass(frozen=True)
class Entry:
    """One thing in a release: a file with its content, or a symbolic link with its target."""

    path: PurePosixPath
    content: bytes = b""
    executable: bool = False
    target: str = ""


@dataclass(frozen=True)
class Release:
    """A release file whose manifest is to be believed; its files are not read yet."""

    manifest: Manifest
    document: bytes
    key: str
    file: Path


def open_release(file: Path, keys: Keys) -> Release:
    """Read the head of a release file and verify it. Raises `ReleaseError`."""
    if not keys:
        raise ReleaseError(
            "this device trusts no release key: "
            "put the maker's public key (PEM) into /etc/orillo/release-keys"
        )
    with _opened(file) as tar:
        document, signature = _small(tar, MANIFEST), _small(tar, SIGNATURE)
    key = verify(document, signature, keys)
    return Release(read_manifest(document), document, key, file)


def entries(release: Release) -> Iterator[Entry]:
    """What is in it, after its digest was found right. Raises `ReleaseError`."""
    with _opened(release.file) as tar:
        _next(tar, MANIFEST), _next(tar, SIGNATURE)
        packed = tar.extractfile(_next(tar, FILES))
        if packed is None:
            raise ReleaseError(_DAMAGED)
        _check(packed, release.manifest)
        packed.seek(0)
        try:
            with tarfile.open(fileobj=packed, mode="r:xz") as files:
                yield from _entries(files, release.manifest.archive.unpacked)
        except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
            raise ReleaseError(_DAMAGED) from error


def _check(packed: IO[bytes], manifest: Manifest) -> None:
    found, size = hashlib.sha256(), 0
    while piece := packed.read(_PIECE):
        found.update(piece)
        size += len(piece)
    if (size, found.hexdigest()) != (manifest.archive.size, manifest.archive.sha256):
        raise ReleaseError(f"{_DAMAGED} (its digest is not the one that was signed)")


def _entries(files: tarfile.TarFile, most: int) -> Iterator[Entry]:
    for member in files:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ReleaseError(f"the release has a file outside of itself: {member.name}")
        if member.isdir():
            continue
        if member.issym():
            yield Entry(path, target=_target(path, member.linkname))
            continue
        most -= member.size
        content = files.extractfile(member) if member.isreg() else None
        if content is None or most < 0:
            raise ReleaseError(f"the release has what it must not have: {member.name}")
        yield Entry(path, content.read(), executable=bool(member.mode & 0o100))


def _target(path: PurePosixPath, target: str) -> str:
    """A link may lead to its own directory or below, no further."""
    if PurePosixPath(target).is_absolute() or ".." in PurePosixPath(target).parts:
        raise ReleaseError(f"the release has a link out of itself: {path}")
    return target


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(file, mode="r:") as tar:
            yield tar
    except FileNotFoundError as error:
        raise ReleaseError(f"there is no file {file}") from error
    except tarfile.ReadError as error:
        raise ReleaseError(f"{file} is no release of orillo, or is damaged or cut short") from error
    except (tarfile.TarError, EOFError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ReleaseError(f"{file} can't be read ({reason}): fetch it again") from error


def _next(tar: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    member = tar.next()
    if member is None or member.name != name or not member.isreg():
        raise ReleaseError(
            f"there is no {name} where it should be: this is no release of orillo, or is cut short"
        )
    return member


def _small(tar: tarfile.TarFile, name: str) -> bytes:
    member = _next(tar, name)
    content = tar.extractfile(member)
    if content is None or member.size > _LARGEST_HEAD:
        raise ReleaseError(_DAMAGED)
    return content.read()


def pack(files: bytes, document: bytes, signature: bytes, epoch: int) -> bytes:
    """A release file; the same input gives the same bytes. `epoch` is the time of its members, since 1970."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in ((MANIFEST, document), (SIGNATURE, signature), (FILES, files)):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), epoch
            tar.addfile(member, io.BytesIO(content))
    return sink.getvalue()
