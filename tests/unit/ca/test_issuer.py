# SPDX-License-Identifier: Apache-2.0
"""What the CA certifies, refuses and stores."""

import base64
import hashlib
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.netcore.plan.identity import Identity
from cloud.ca.issuer import Issuer
from cloud.ca.keys import KeyFileError
from cloud.ca.policy import LEAF_VALIDITY, Window, leaf_of, leaf_window
from cloud.ca.request import RequestError
from tests.unit.ca.requests import certificate_in, new_key, request_for

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHOP1 = Identity(cluster="lab", name="shop1", instance="0a1b2c3d")


@pytest.fixture(name="issuer")
def make_issuer(tmp_path: Path) -> Issuer:
    return Issuer.create(tmp_path, "lab", NOW)


def alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def test_names_come_from_the_record_and_never_from_the_request(issuer: Issuer) -> None:
    key = new_key()
    leaf = certificate_in(issuer.issue(request_for(key, "connector-1", "evil.lab"), SHOP1, NOW))
    assert [name.value for name in leaf.subject] == ["shop1"]
    names = alternative_names(leaf)
    assert names.get_values_for_type(x509.DNSName) == ["0a1b2c3d.shop1.lab", "lab.shop1"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["orillo://lab/shop1/0a1b2c3d"]
    assert len(list(names)) == 3
    assert leaf.public_key() == key.public_key()


def test_leaf_is_of_the_ca_and_can_sign_nothing(issuer: Issuer) -> None:
    leaf = certificate_in(issuer.issue(request_for(new_key()), SHOP1, NOW))
    ca = x509.load_pem_x509_certificate(issuer.certificate_pem.encode())
    leaf.verify_directly_issued_by(ca)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}


def test_longest_names_fit(tmp_path: Path) -> None:
    longest = "x" * 63
    issuer = Issuer.create(tmp_path, longest, NOW)
    identity = Identity(cluster=longest, name=longest, instance="0a1b2c3d")
    leaf = certificate_in(issuer.issue(request_for(new_key()), identity, NOW))
    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == longest


def test_life_of_a_leaf() -> None:
    ca = Window(NOW - timedelta(days=1), NOW + timedelta(days=3650))
    window = leaf_window(NOW, ca)
    assert window.not_before == NOW - timedelta(hours=1)
    assert window.not_after == NOW + LEAF_VALIDITY == NOW + timedelta(days=90)
    assert timedelta(days=59) < window.renew_from - NOW < timedelta(days=61)


def test_leaf_never_outlives_its_ca() -> None:
    ca = Window(NOW - timedelta(minutes=1), NOW + timedelta(days=3))
    assert leaf_window(NOW, ca) == ca


def test_ike_identity_is_the_first_dns_name() -> None:
    assert leaf_of(SHOP1).dns_names[0] == SHOP1.ike_id


@pytest.mark.parametrize("body", [b"", b"!!", b"AAAA", base64.b64encode(b"no request")])
def test_garbage_is_refused(issuer: Issuer, body: bytes) -> None:
    with pytest.raises(RequestError, match="not base64 of a PKCS #10 request"):
        issuer.issue(body, SHOP1, NOW)


def test_request_signed_by_another_key_is_refused(issuer: Issuer) -> None:
    der = bytearray(base64.b64decode(request_for(new_key())))
    der[-1] ^= 1
    with pytest.raises(RequestError):
        issuer.issue(base64.b64encode(bytes(der)), SHOP1, NOW)


@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())],
    ids=["rsa", "p384"],
)
def test_other_kinds_of_keys_are_refused(issuer: Issuer, key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(RequestError, match="ECDSA P-256"):
        issuer.issue(request_for(key), SHOP1, NOW)


def test_request_may_be_wrapped_in_lines(issuer: Issuer) -> None:
    wrapped = base64.encodebytes(base64.b64decode(request_for(new_key()))).replace(b"\n", b"\r\n")
    assert certificate_in(issuer.issue(wrapped, SHOP1, NOW))


def test_server_certificate_has_the_addresses(issuer: Issuer) -> None:
    made = issuer.server_certificate(["192.0.2.1", "2001:db8::1", "cloud.example"], NOW)
    certificate = x509.load_pem_x509_certificate(made.pem[made.pem.index(b"-----BEGIN CERT") :])
    names = alternative_names(certificate)
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("192.0.2.1"), ip_address("2001:db8::1")]
    assert names.get_values_for_type(x509.DNSName) == ["cloud.example"]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert made.window.not_after == certificate.not_valid_after_utc
    assert "PRIVATE" not in repr(made)


def test_ca_survives_a_restart(issuer: Issuer, tmp_path: Path) -> None:
    again = Issuer.load(tmp_path)
    assert again.pin == issuer.pin
    assert again.certificate_pem == issuer.certificate_pem
    der = certificate_in(again.ca_chain()).public_bytes(Encoding.DER)
    assert hashlib.sha256(der).hexdigest() == again.pin


def test_ca_key_is_for_its_owner_only(issuer: Issuer, tmp_path: Path) -> None:
    assert issuer
    assert stat.S_IMODE((tmp_path / "ca.key").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.crt", "ca.key"]


def test_certificate_of_another_key_is_refused(issuer: Issuer, tmp_path: Path) -> None:
    assert issuer
    other = tmp_path / "other"
    other.mkdir()
    Issuer.create(other, "lab", NOW)
    (tmp_path / "ca.crt").write_bytes((other / "ca.crt").read_bytes())
    with pytest.raises(KeyFileError, match="not of the key beside it"):
        Issuer.load(tmp_path)


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"can't read .*ca\.key"):
        Issuer.load(tmp_path)
    (tmp_path / "ca.key").write_text("secret-looking text")
    with pytest.raises(KeyFileError, match=r"ca\.key holds no usable private key") as caught:
        Issuer.load(tmp_path)
    assert "secret-looking" not in str(caught.value)
