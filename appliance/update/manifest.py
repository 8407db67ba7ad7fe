# SPDX-License-Identifier: Apache-2.0
"""What a release says of itself, and whether this device may take it. Pure."""

import re
from datetime import datetime
from typing import Annotated

import msgspec

from appliance.netcore.errors import DoorError

FORMAT = 1
PRODUCT = "orillo"
#: Larger than any release; a file that claims more is none.
LARGEST_ARCHIVE = 256 << 20
LARGEST_UNPACKED = 1 << 30
#: It becomes the name of a directory.
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+~-]{0,63}")
_PARTS = re.compile(r"(\d+(?:\.\d+)*)(.*)")
#: What after the numbers means "before": 1.0rc1 comes before 1.0 (PEP 440, and deb-version(7)'s tilde).
_BEFORE = re.compile(r"[.-]?(a|b|rc|dev|alpha|beta|pre)\d*|~")


class ReleaseError(DoorError):
    """A release can't be taken; the text says why, and what would help."""


class Archive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The packed files: their digest, and their size packed and unpacked, in bytes."""

    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    size: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ARCHIVE)]
    unpacked: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_UNPACKED)]


class Manifest(msgspec.Struct, frozen=True):
    """One release. Fields may be added; what is not known here is passed over."""

    format: int
    product: str
    version: str
    architecture: str
    archive: Archive
    commit: str = ""
    built: datetime | None = None


def read_manifest(data: bytes) -> Manifest:
    """The manifest in `data`, whose signature was verified. Raises `ReleaseError`."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReleaseError(
            f"the release's manifest can't be read ({error}): is it for a newer one?"
        ) from error
    if manifest.format != FORMAT or manifest.product != PRODUCT:
        raise ReleaseError(
            f"this is {manifest.product} in format {manifest.format}, not {PRODUCT} in {FORMAT}"
        )
    if not _VERSION.fullmatch(manifest.version):
        raise ReleaseError(f"{manifest.version!r} is no version")
    return manifest


def refuse_unfit(manifest: Manifest, running: str, architecture: str, *, allow_downgrade: bool) -> None:
    """Raise `ReleaseError` if this release is not for this device, or not newer than what runs on it."""
    if manifest.architecture != architecture:
        raise ReleaseError(f"the release is for {manifest.architecture}, and this device is {architecture}")
    if order(manifest.version) < order(running) and not allow_downgrade:
        older = f"release {manifest.version} is older than {running}, which runs here"
        raise ReleaseError(f"{older}: --allow-downgrade takes it all the same")


def order(version: str) -> tuple[tuple[int, ...], int, tuple[tuple[int, str], ...]]:
    """What to sort versions by: their numbers, then what comes before, the release, what comes after.

    A version without numbers comes before all others.
    """
    found = _PARTS.fullmatch(version)
    if found is None:
        return (), 0, ()
    numbers, rest = [int(part) for part in found[1].split(".")], found[2]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    stage = 0 if _BEFORE.match(rest) else 1 if not rest else 2
    words = tuple((int(word), "") if word.isdigit() else (-1, word) for word in re.findall(r"\d+|\D+", rest))
    return tuple(numbers), stage, words
