# SPDX-License-Identifier: Apache-2.0
"""Who may make releases for this device: Ed25519 public keys in files, and what they have signed.

The signature covers the manifest, behind a prefix that no other document of ours starts with; the manifest
covers the archive by its digest. A manifest may bear several signatures, so that a key can be replaced.
"""

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from appliance.netcore.plan.signature import key_id
from appliance.update.manifest import ReleaseError

#: Trusted public keys by their id.
Keys = Mapping[str, Ed25519PublicKey]

_PREFIX = b"orillo release v1\n"
_LARGEST_KEY = 4096


class _Signature(msgspec.Struct, frozen=True):
    """By which key (`key_id`), and the value in base64."""

    key: str
    value: str


def trusted_keys(directories: Iterable[Path]) -> dict[str, Ed25519PublicKey]:
    """The keys in `*.pem` (as `openssl pkey -pubout` writes them), by id. Raises `ReleaseError`."""
    keys = {}
    for path in (path for directory in directories for path in sorted(directory.glob("*.pem"))):
        try:
            with path.open("rb") as file:
                key = load_pem_public_key(file.read(_LARGEST_KEY))
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise ReleaseError(f"{path} can't be read as a public key in PEM: mend or remove it") from error
        if not isinstance(key, Ed25519PublicKey):
            raise ReleaseError(f"{path} is no Ed25519 key: mend or remove it")
        keys[key_id(key.public_bytes_raw())] = key
    return keys


def verify(manifest: bytes, signatures: bytes, keys: Keys) -> str:
    """The id of a trusted key that signed the manifest. Raises `ReleaseError`."""
    try:
        found = msgspec.json.decode(signatures, type=tuple[_Signature, ...])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReleaseError("the release's signature can't be read: the file is damaged") from error
    if not found:
        raise ReleaseError("the release is not signed")
    known = [one for one in found if one.key in keys]
    if not known:
        names = ", ".join(one.key for one in found)
        raise ReleaseError(f"the release is signed by {names}, which this device does not trust")
    for one in known:
        try:
            keys[one.key].verify(base64.b64decode(one.value, validate=True), _PREFIX + manifest)
        except (InvalidSignature, ValueError):
            continue
        return one.key
    raise ReleaseError("the release's signature is wrong: it was changed or damaged")


def sign(manifest: bytes, keys: Iterable[Ed25519PrivateKey]) -> bytes:
    """The signatures of the manifest by these keys."""
    return msgspec.json.encode(
        [
            _Signature(
                key_id(key.public_key().public_bytes_raw()),
                base64.b64encode(key.sign(_PREFIX + manifest)).decode(),
            )
            for key in keys
        ]
    )


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file, for who makes releases. Raises `ReleaseError`, without a secret."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ReleaseError(f"{path} can't be read as a private key in PEM without a passphrase") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ReleaseError(f"{path} is no Ed25519 key: make one with `openssl genpkey -algorithm ed25519`")
    return key
