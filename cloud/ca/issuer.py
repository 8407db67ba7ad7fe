# SPDX-License-Identifier: Apache-2.0
"""The CA that issues: its own certificate, the leaves of devices, and that of the operator's listeners."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.netcore.plan.identity import Identity
from cloud.ca.keys import KeyFileError, new_ec_key, private_pem, read_ec_key, write_key
from cloud.ca.policy import Window, ca_window, leaf_of, leaf_window
from cloud.ca.request import public_key_of
from cloud.files import write_atomic

_CERTIFICATE_MODE = 0o644
_CLIENT, _SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True)
class ServerCertificate:
    """Key and certificate of the listeners, as one PEM file's content, and when to make the next."""

    pem: bytes = field(repr=False)
    window: Window


@dataclass(frozen=True)
class Issuer:
    """One CA: an ECDSA P-256 key and its self-signed certificate."""

    _key: EllipticCurvePrivateKey = field(repr=False)
    _certificate: x509.Certificate

    @classmethod
    def create(cls, directory: Path, cluster: str, now: datetime) -> Self:
        """Make a CA for `cluster` and store it in `directory`. Raises `OSError`."""
        key = new_ec_key()
        certificate = _self_signed(key, _ca_name(cluster), ca_window(now))
        write_key(directory / "ca.key", key)
        write_atomic(directory / "ca.crt", certificate.public_bytes(Encoding.PEM), _CERTIFICATE_MODE)
        return cls(key, certificate)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the CA in `directory`; raises `KeyFileError`."""
        key, path = read_ec_key(directory / "ca.key"), directory / "ca.crt"
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        except OSError as error:
            raise KeyFileError(f"can't read {path}: {error.strerror}") from error
        except ValueError as error:
            raise KeyFileError(f"{path} holds no certificate: put it back from a backup") from error
        if certificate.public_key() != key.public_key():
            raise KeyFileError(f"{path} is not of the key beside it: put both back from one backup")
        return cls(key, certificate)

    @property
    def certificate_pem(self) -> str:
        """The CA certificate, as trust bundles hold it."""
        return self._certificate.public_bytes(Encoding.PEM).decode()

    @property
    def pin(self) -> str:
        """What tokens name this CA by: SHA-256 (hex) of its certificate's DER bytes."""
        return hashlib.sha256(self._certificate.public_bytes(Encoding.DER)).hexdigest()

    @property
    def window(self) -> Window:
        """When the CA certificate is valid."""
        return Window(self._certificate.not_valid_before_utc, self._certificate.not_valid_after_utc)

    def ca_chain(self) -> bytes:
        """The CA certificate as EST hands it out: base64 of PKCS #7, certificates only."""
        return _envelope(self._certificate)

    def issue(self, request: bytes, identity: Identity, now: datetime) -> bytes:
        """A leaf for the record's device and the request's key, in EST's envelope. Raises `RequestError`."""
        leaf = leaf_of(identity)
        names = [*map(x509.DNSName, leaf.dns_names), x509.UniformResourceIdentifier(leaf.uri)]
        key = public_key_of(request)
        return _envelope(self._sign(key, leaf.common_name, names, (_CLIENT, _SERVER), now))

    def server_certificate(self, addresses: Iterable[str], now: datetime) -> ServerCertificate:
        """A fresh key and certificate for listeners that are reached by these IP addresses and DNS names."""
        key = new_ec_key()
        names = [_general_name(address) for address in addresses]
        certificate = self._sign(key.public_key(), "orillo-cloud", names, (_SERVER,), now)
        return ServerCertificate(
            private_pem(key) + certificate.public_bytes(Encoding.PEM), leaf_window(now, self.window)
        )

    def _sign(
        self,
        key: EllipticCurvePublicKey,
        common_name: str,
        names: Iterable[x509.GeneralName],
        usages: Iterable[x509.ObjectIdentifier],
        now: datetime,
    ) -> x509.Certificate:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            _builder(key, _name(common_name), self._certificate.subject, leaf_window(now, self.window))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(authority, critical=False)
            .sign(self._key, SHA256())
        )


def _self_signed(key: EllipticCurvePrivateKey, name: x509.Name, window: Window) -> x509.Certificate:
    return (
        _builder(key.public_key(), name, name, window)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .sign(key, SHA256())
    )


def _builder(
    key: EllipticCurvePublicKey, subject: x509.Name, issuer: x509.Name, window: Window
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(window.not_before)
        .not_valid_after(window.not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _ca_name(cluster: str) -> x509.Name:
    # The cluster is not in the common name: that holds 64 characters, and a cluster's name alone may have 63.
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, cluster)
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, "orillo")])


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _envelope(certificate: x509.Certificate) -> bytes:
    return base64.encodebytes(serialize_certificates([certificate], Encoding.DER))
