# SPDX-License-Identifier: Apache-2.0
"""Keys, requests and certificates of the device.

The one module of the daemon that needs X.509 in Python, and a big one: it is imported only where a device
enrols or renews.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    pkcs7,
)
from cryptography.x509.oid import NameOID

from appliance.netcore.plan.identity import Identity, parse_uri
from appliance.sync.errors import IdentityError


@dataclass(frozen=True)
class Leaf:
    """What a certificate says of the device it was made for."""

    pem: bytes
    identity: Identity
    not_before: datetime
    not_after: datetime


def new_key() -> bytes:
    """A fresh ECDSA P-256 private key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make_csr(key: bytes, name: str = "") -> bytes:
    """A certificate request for the key: base64 of PKCS#10 DER, as EST has it (RFC 7030, section 4.2.1).

    `name` is whom to enrol as, which only a token for several devices asks for: the server takes the subject
    from its own record, and the one in here says nothing otherwise.
    """
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name or "orillo device")])
    request = (
        x509.CertificateSigningRequestBuilder().subject_name(subject).sign(_private(key), hashes.SHA256())
    )
    return base64.b64encode(request.public_bytes(Encoding.DER))


def read_certificates(body: bytes) -> tuple[bytes, ...]:
    """The certificates (PEM) in a base64 certs-only PKCS#7 answer (RFC 7030, section 4.1.3)."""
    try:
        found = pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))
    except (ValueError, binascii.Error) as error:
        raise IdentityError("the answer holds no certificates: is this an Orillo operator?") from error
    return tuple(certificate.public_bytes(Encoding.PEM) for certificate in found)


def read_bundle(pem: bytes) -> tuple[bytes, ...]:
    """The certificates of a file, each as PEM. Raises `IdentityError`."""
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise IdentityError("a certificate can't be read: it is damaged or no PEM") from error
    return tuple(certificate.public_bytes(Encoding.PEM) for certificate in found)


def fingerprint(pem: bytes) -> str:
    """SHA-256 (hex) of the certificate's DER bytes: what a token's pin is compared with."""
    return _certificate(pem).fingerprint(hashes.SHA256()).hex()


def key_fingerprint(key: bytes) -> str:
    """SHA-256 (hex) of a private key's public half (SubjectPublicKeyInfo, DER), as anybody can compute it
    from the request or the certificate. Raises `IdentityError`.
    """
    public = _private(key).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()


def issuer_of(der: bytes) -> str:
    """Who signed a certificate, by its own word: for people to read, and nothing to believe."""
    try:
        return x509.load_der_x509_certificate(der).issuer.rfc4514_string()
    except ValueError:
        return "nobody that can be read"


def read_new_leaf(answer: bytes, key: bytes, ca: Sequence[bytes]) -> Leaf:
    """The leaf in an answer to a request of ours, checked: for our key, and from one of `ca` (PEM).

    Raises `IdentityError`.
    """
    certificates = read_certificates(answer)
    if not certificates:
        raise IdentityError("the control endpoint answered without a certificate")
    pem = certificates[0]
    certificate = _certificate(pem)
    if certificate.public_key() != _private(key).public_key():
        raise IdentityError("the certificate that came back is for another key than this device's")
    if not any(_issued(certificate, _certificate(issuer)) for issuer in ca):
        raise IdentityError("the certificate that came back is not signed by the CA that was vouched for")
    return Leaf(
        pem, _identity(certificate), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    )


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _identity(certificate: x509.Certificate) -> Identity:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise IdentityError("the certificate that came back names no device") from error
    for uri in names.get_values_for_type(x509.UniformResourceIdentifier):
        try:
            return parse_uri(uri)
        except ValueError:
            continue
    raise IdentityError("the certificate that came back names no device")


def _certificate(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise IdentityError("a certificate can't be read: it is damaged or no PEM") from error


def _private(key: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        loaded = load_pem_private_key(key, password=None)
    except (ValueError, TypeError) as error:
        raise IdentityError("the device's key can't be read: enrol the device again") from error
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise IdentityError("the device's key is of a foreign kind: enrol the device again")
    return loaded
