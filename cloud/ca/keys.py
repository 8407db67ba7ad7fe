# SPDX-License-Identifier: Apache-2.0
"""Private keys on disk (0600, written atomically), and the key that signs plans.

Keys are in PKCS #8 without a passphrase: the operator has to start without anyone typing one, so what
guards them is the owner-only directory that they are in.
"""

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from appliance.netcore.plan import signature
from appliance.netcore.plan.codec import Signature
from appliance.netcore.plan.model import Plan
from cloud.files import write_atomic

PRIVATE_MODE = 0o600

_PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey


class KeyFileError(Exception):
    """A key or certificate file of the operator can't be used; the text names it and never its content."""


def new_ec_key() -> EllipticCurvePrivateKey:
    """An ECDSA key on P-256, what every certificate here is made with."""
    return generate_private_key(SECP256R1())


def private_pem(key: _PrivateKey) -> bytes:
    """The key as PEM, to be written nowhere but to a file of mode 0600."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write_key(path: Path, key: _PrivateKey) -> None:
    """Store a private key. Raises `OSError`."""
    write_atomic(path, private_pem(key), PRIVATE_MODE)


def read_ec_key(path: Path) -> EllipticCurvePrivateKey:
    """Load an ECDSA key; raises `KeyFileError`."""
    key = _read(path)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise KeyFileError(f"{path} holds no ECDSA key: put the operator's own back from a backup")
    return key


def _read(path: Path) -> object:
    try:
        return load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise KeyFileError(f"can't read {path}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            f"{path} holds no usable private key: put the operator's own back from a backup"
        ) from error


@dataclass(frozen=True)
class PlanKey:
    """The Ed25519 key that devices believe plans by."""

    _key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a key and store it at `path`. Raises `OSError`."""
        key = Ed25519PrivateKey.generate()
        write_key(path, key)
        return cls(key)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the key at `path`; raises `KeyFileError`."""
        key = _read(path)
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(f"{path} holds no Ed25519 key: put the operator's own back from a backup")
        return cls(key)

    @property
    def trusted(self) -> dict[str, str]:
        """What devices are given to verify by: the key's id, and its raw public bytes in base64."""
        public = self._key.public_key().public_bytes_raw()
        return {signature.key_id(public): base64.b64encode(public).decode()}

    def signature(self, digest: str, issued_at: str) -> Signature:
        """The signature of a document with this digest and this time of issue."""
        return signature.signature_of(digest, issued_at, self._key)

    def sign(self, plan: Plan) -> bytes:
        """The signed document of a plan."""
        return signature.sign(plan, self._key)
