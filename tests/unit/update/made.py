# SPDX-License-Identifier: Apache-2.0
"""Releases for tests: programs that say who they are, packed and signed as real ones."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.update.archive import MANIFEST, Entry, pack
from appliance.update.manifest import Archive, Manifest
from appliance.update.signature import sign

KEY = Ed25519PrivateKey.from_private_bytes(b"a key for tests, of no use to us")
STRANGER = Ed25519PrivateKey.from_private_bytes(b"another key, which nobody trusts")
#: Says which release it is, and shows by a second file that it is whole.
SCRIPT = (
    '#!/bin/sh\ncase " $* " in *" version "*) echo "orillo {0}" ;;'
    ' *) echo "{0} $(cat "${{0%/*}}/lib/part")" ;; esac\n'
)


def script(version: str) -> bytes:
    return SCRIPT.format(version).encode()


def files(version: str, program: bytes | None = None) -> list[Entry]:
    return [
        Entry(PurePosixPath("lib/part"), f"part of {version}".encode()),
        Entry(PurePosixPath("orillo"), program or script(version), executable=True),
        Entry(PurePosixPath("orillo-tui"), target="orillo"),
    ]


def manifest(version: str, **fields: object) -> Manifest:
    values: dict[str, object] = {
        "format": 1,
        "product": "orillo",
        "version": version,
        "architecture": "amd64",
        "archive": Archive("0" * 64, 1, 1000),
    }
    return Manifest(**(values | fields))  # type: ignore[arg-type]


def packed(content: Mapping[str, bytes | str]) -> bytes:
    """A `files.tar.xz`: bytes are files, text is a link's target."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:xz") as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            if isinstance(data, str):
                member.type, member.linkname = tarfile.SYMTYPE, data
                tar.addfile(member)
                continue
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
    return sink.getvalue()


def release_bytes(
    version: str,
    content: Mapping[str, bytes | str] | None = None,
    key: Ed25519PrivateKey | None = KEY,
    **fields: object,
) -> bytes:
    """A release file; `fields` go into its manifest in place of what is right."""
    inner = packed(content or {"orillo": script(version), "lib/part": f"part of {version}".encode()})
    document = {
        "format": 1,
        "product": "orillo",
        "version": version,
        "architecture": "amd64",
        "archive": {"sha256": hashlib.sha256(inner).hexdigest(), "size": len(inner), "unpacked": 100_000},
    }
    encoded = json.dumps(document | fields).encode()
    return pack(inner, encoded, sign(encoded, [key] if key else []), 0)


def public_pem(key: Ed25519PrivateKey = KEY) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def trust(directory: Path, *keys: Ed25519PrivateKey) -> Path:
    """A directory with these public keys."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, key in enumerate(keys):
        (directory / f"{number}.pem").write_bytes(public_pem(key))
    return directory


__all__ = [
    "KEY",
    "MANIFEST",
    "STRANGER",
    "files",
    "manifest",
    "public_pem",
    "release_bytes",
    "script",
    "trust",
]
