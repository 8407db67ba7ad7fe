# SPDX-License-Identifier: Apache-2.0
"""The operator as a member of another cluster: its key and request, and what comes back."""

import base64
import binascii

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates
from cryptography.x509.oid import NameOID

from cloud.ca.keys import new_ec_key, private_pem


class MemberError(ValueError):
    """An answer that holds no usable certificate."""


def new_request(name: str) -> tuple[bytes, bytes]:
    """A private key (PEM), and a request for it in EST's form."""
    key = new_ec_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
    return private_pem(key), base64.b64encode(request.public_bytes(Encoding.DER))


def certificates_in(envelope: bytes) -> tuple[str, ...]:
    """The certificates (PEM) of an EST answer. Raises `MemberError`."""
    try:
        found = load_der_pkcs7_certificates(base64.b64decode(envelope))
    except (ValueError, binascii.Error) as error:
        raise MemberError("the answer holds no certificates: is this an Orillo operator?") from error
    return tuple(each.public_bytes(Encoding.PEM).decode() for each in found)


def fingerprint(pem: str) -> str:
    """SHA-256 (hex) of a certificate's DER bytes; empty for what is none."""
    try:
        return x509.load_pem_x509_certificate(pem.encode()).fingerprint(SHA256()).hex()
    except ValueError:
        return ""
