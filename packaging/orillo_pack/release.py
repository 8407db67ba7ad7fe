# SPDX-License-Identifier: Apache-2.0
"""A release for `orillo update`: the compiled directory, packed, described and signed.

The signing key is a file of whoever makes releases; it is never in the tree, nor in what is made. Its public
half goes into `packaging/release-keys` before a build, and so into the package, or onto a device by hand.
"""

import hashlib
import io
import lzma
import tarfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from appliance.update.archive import pack
from appliance.update.manifest import FORMAT, PRODUCT, Archive, Manifest
from appliance.update.signature import read_signing_key, sign


def make_release(
    directory: Path,
    out: Path,
    *,
    version: str,
    architecture: str,
    commit: str,
    epoch: int,
    keys: Sequence[Path],
    papers: Path | None = None,
) -> Path:
    """Build `orillo_VERSION_ARCH.release` in `out`; returns its path.

    The same input gives the same file. `epoch` is in seconds since 1970; `papers` is a directory with what
    goes with the programs. Raises `ReleaseError` for a key.
    """
    signers = [read_signing_key(path) for path in keys]
    files, unpacked = _packed({Path(): directory, Path("papers"): papers}, epoch)
    manifest = Manifest(
        format=FORMAT,
        product=PRODUCT,
        version=version,
        architecture=architecture,
        archive=Archive(hashlib.sha256(files).hexdigest(), len(files), unpacked),
        commit=commit,
        built=datetime.fromtimestamp(epoch, UTC),
    )
    document = msgspec.json.encode(manifest)
    file = out / f"orillo_{version}_{architecture}.release"
    out.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pack(files, document, sign(document, signers), epoch))
    return file


def _packed(directories: Mapping[Path, Path | None], epoch: int) -> tuple[bytes, int]:
    """What is in the directories, each in its place, as a tar, compressed; and its size when it is not."""
    sink, unpacked = io.BytesIO(), 0
    files = {
        place / path.relative_to(directory): path
        for place, directory in directories.items()
        if directory is not None
        for path in directory.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    with tarfile.open(fileobj=sink, mode="w:", format=tarfile.GNU_FORMAT) as tar:
        for name, path in sorted(files.items()):
            member = tar.gettarinfo(path, str(name))
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = epoch
            if not member.isreg():
                tar.addfile(member)
                continue
            member.mode = 0o755 if member.mode & 0o100 else 0o644
            unpacked += member.size
            with path.open("rb") as content:
                tar.addfile(member, content)
    return lzma.compress(sink.getvalue(), preset=6), unpacked
