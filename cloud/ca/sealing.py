# SPDX-License-Identifier: Apache-2.0
"""Bytes that only a passphrase opens: AES-256-GCM under a key by scrypt (RFC 7914)."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

_MAGIC = b"orillo-sealed-1\n"
_SALT, _NONCE = 16, 12
#: 64 MB and a fifth of a second for each guess.
_COST, _BLOCK, _LANES = 1 << 16, 8, 1


class SealError(ValueError):
    """What was sealed does not open; the text says why."""


def seal(content: bytes, passphrase: str) -> bytes:
    """`content` for the holders of the passphrase alone."""
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    return _MAGIC + salt + nonce + AESGCM(_key(passphrase, salt)).encrypt(nonce, content, _MAGIC)


def is_sealed(content: bytes) -> bool:
    """Whether a passphrase is needed."""
    return content.startswith(_MAGIC)


def unseal(content: bytes, passphrase: str) -> bytes:
    """What was sealed. Raises `SealError`."""
    body = content.removeprefix(_MAGIC)
    salt, nonce, sealed = body[:_SALT], body[_SALT : _SALT + _NONCE], body[_SALT + _NONCE :]
    try:
        return AESGCM(_key(passphrase, salt)).decrypt(nonce, sealed, _MAGIC)
    except (InvalidTag, ValueError) as error:
        raise SealError("the passphrase is another one, or the file is damaged") from error


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=_COST, r=_BLOCK, p=_LANES).derive(passphrase.encode())
