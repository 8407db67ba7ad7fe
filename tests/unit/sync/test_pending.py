# SPDX-License-Identifier: Apache-2.0
"""The key whose fingerprint is shown before an enrolment is the one that the request is for."""

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.netcore.plan.exchange import TOKEN_USED
from appliance.paths import Paths
from appliance.sync.errors import RefusedError, UnreachableError
from appliance.sync.identity_keys import make_csr
from appliance.sync.pending import forget_next_key, key_to_ask_with, keys, next_key


def test_the_fingerprint_is_that_of_the_request(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    shown = keys(paths).next
    request = x509.load_der_x509_csr(base64.b64decode(make_csr(next_key(paths))))
    public = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert hashlib.sha256(public).hexdigest() == shown


def test_it_stays_the_same_until_it_is_used(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert keys(paths) == keys(paths)
    before = next_key(paths)
    forget_next_key(paths)
    assert next_key(paths) != before


@pytest.mark.parametrize("shown", [False, True])
@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (RefusedError(TOKEN_USED, "no"), False),
        (RefusedError("http-503", "not now"), True),
        (UnreachableError("the line is gone"), True),
    ],
)
def test_who_may_have_come_in_keeps_the_key(
    tmp_path: Path, error: Exception, kept: bool, shown: bool
) -> None:
    paths = Paths(tmp_path)
    before = next_key(paths) if shown else None
    with pytest.raises(type(error)), key_to_ask_with(paths) as key:
        raise error
    assert list(paths.state.iterdir()) == ([paths.state / "next-key.pem"] if kept or shown else [])
    assert before in (key, None)
    if kept:
        assert next_key(paths) == key


def test_the_key_is_for_root_alone_and_a_damaged_one_is_replaced(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    next_key(paths)
    (file,) = paths.state.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("no key")
    assert len(keys(paths).next) == 64


def test_the_key_in_use_is_told_too(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert keys(paths).current == ""
    paths.identity.mkdir(parents=True)
    (paths.identity / "key.pem").write_bytes(next_key(paths))
    assert keys(paths).current == keys(paths).next
