# SPDX-License-Identifier: Apache-2.0
"""Certificate requests (PKCS #10, RFC 2986) as EST carries them: base64 of the DER bytes (RFC 8951)."""

import base64
import binascii
import hashlib

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID


class RequestError(ValueError):
    """A certificate request that can't be used; the text says why."""


def public_key_of(body: bytes) -> EllipticCurvePublicKey:
    """The requested key, once the request's own signature has shown that the sender holds its private half.

    Nothing else of the request is looked at. Raises `RequestError`.
    """
    request = _read(body)
    try:
        key = request.public_key()
        valid = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as error:
        raise RequestError("the certificate request is for a key that can't be read") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise RequestError("the certificate request is for another kind of key than ECDSA P-256")
    if not valid:
        raise RequestError("the certificate request is not signed by the key that it is for")
    return key


def fingerprint(key: EllipticCurvePublicKey) -> str:
    """SHA-256 of the SubjectPublicKeyInfo, in hex: what a device shows of its key before it enrols."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def wanted_name(body: bytes) -> str:
    """The common name that the request asks for; it is believed only within a token's pattern.

    Empty if it asks for none, or for several. Raises `RequestError`.
    """
    names = [str(each.value) for each in _read(body).subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return names[0] if len(names) == 1 else ""


def _read(body: bytes) -> x509.CertificateSigningRequest:
    try:
        return x509.load_der_x509_csr(base64.b64decode(b"".join(body.split()), validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm) as error:
        raise RequestError("the certificate request is not base64 of a PKCS #10 request") from error
