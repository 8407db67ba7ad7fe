# SPDX-License-Identifier: Apache-2.0
"""Certificate requests as devices, honest or not, would make them; and how to read the answers."""

import base64

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_key() -> ec.EllipticCurvePrivateKey:
    """What an honest device makes."""
    return ec.generate_private_key(ec.SECP256R1())


def request_for(key: Key, name: str = "whatever", dns: str = "whatever.example") -> bytes:
    """A request in EST's form that asks for `name`."""
    builder = x509.CertificateSigningRequestBuilder(
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    ).add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
    return base64.b64encode(builder.sign(key, SHA256()).public_bytes(Encoding.DER))


def certificate_in(envelope: bytes) -> x509.Certificate:
    """The one certificate of an EST answer."""
    (certificate,) = load_der_pkcs7_certificates(base64.b64decode(envelope))
    return certificate
