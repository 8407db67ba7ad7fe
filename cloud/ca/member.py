# SPDX-License-Identifier: Apache-2.0
"""The operator as a member of another cluster: its key and request, and what comes back."""

import base64
import binascii

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates
from cryptography.x509.oid import NameOID

from cloud.ca.keys import new_ec_key, private_pem
from cloud.ca.policy import Window


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


def identity_of(key: bytes, envelope: bytes) -> bytes:
    """Key and certificate (PEM) as one file has them. Raises `MemberError` for another key's certificate."""
    pem = certificates_in(envelope)[0].encode()
    ours = load_pem_private_key(key, password=None).public_key()
    if x509.load_pem_x509_certificate(pem).public_key() != ours:
        raise MemberError("the answer's certificate is for another key than ours")
    return key + pem


def window_of(identity: bytes) -> Window:
    """When the certificate in an identity's file is valid. Raises `MemberError`."""
    try:
        leaf = x509.load_pem_x509_certificate(identity)
    except ValueError as error:
        raise MemberError("it holds no certificate: join that cluster again") from error
    return Window(leaf.not_valid_before_utc, leaf.not_valid_after_utc)
