# SPDX-License-Identifier: Apache-2.0
"""The identity on disk: whole or not there, and replaced in one step."""

from pathlib import Path

import pytest

from appliance.paths import Paths
from appliance.sync.errors import IdentityError
from appliance.sync.identity import commit, forget_identity, load_identity, staging, write_key
from tests.unit.sync.devices import enrolled, trust_file


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


def leftovers(paths: Paths) -> int:
    """Directories of identities, in use or not."""
    return sum(1 for path in paths.state.iterdir() if path.name.startswith("identity-"))


def fail_before_commit(paths: Paths, key: bytes) -> None:
    """An enrolment that goes wrong in its middle."""
    with staging(paths) as staged:
        write_key(staged, key)
        raise RuntimeError


def test_no_identity_is_no_error(paths: Paths) -> None:
    assert load_identity(paths) is None


def test_what_was_committed_is_loaded(paths: Paths) -> None:
    device = enrolled(paths)
    assert load_identity(paths) == device
    assert device.key.read_bytes() == b"key"
    assert (paths.identity / "cert.pem").read_bytes() == b"certificate"
    assert (paths.identity / "ca.pem").read_bytes() == b"ca"


def test_everything_is_for_root_alone(paths: Paths) -> None:
    device = enrolled(paths)
    assert device.key.stat().st_mode & 0o777 == 0o600
    assert paths.identity.resolve().stat().st_mode & 0o777 == 0o700


def test_failure_before_the_commit_leaves_nothing(paths: Paths) -> None:
    with pytest.raises(RuntimeError):
        fail_before_commit(paths, b"key")
    assert load_identity(paths) is None
    assert leftovers(paths) == 0


def test_failure_before_the_commit_leaves_the_identity_before(paths: Paths) -> None:
    before = enrolled(paths)
    with pytest.raises(RuntimeError):
        fail_before_commit(paths, b"another")
    assert load_identity(paths) == before
    assert before.key.read_bytes() == b"key"
    assert leftovers(paths) == 1


def test_next_identity_replaces_the_one_before(paths: Paths) -> None:
    enrolled(paths)
    with staging(paths) as staged:
        write_key(staged, b"another")
        device = commit(paths, staged, trust_file("https://new:443"), b"new", [b"x", b"y"])
    assert load_identity(paths) == device
    assert device.control_url == "https://new:443"
    assert device.key.read_bytes() == b"another"
    assert device.ca.read_bytes() == b"xy"
    assert leftovers(paths) == 1


def test_identity_that_is_a_plain_directory_is_replaced_too(paths: Paths) -> None:
    """As an image builder may have copied it."""
    paths.identity.mkdir(parents=True)
    (paths.identity / "key.pem").write_bytes(b"copied")
    device = enrolled(paths)
    assert load_identity(paths) == device
    assert leftovers(paths) == 1


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff", b'{"identity": 1}', b"[]"])
def test_damaged_trust_is_told_with_the_remedy(paths: Paths, damage: bytes) -> None:
    enrolled(paths)
    (paths.identity / "trust.json").write_bytes(damage)
    with pytest.raises(IdentityError, match="orillo enroll"):
        load_identity(paths)


def test_missing_key_is_told_with_the_remedy(paths: Paths) -> None:
    enrolled(paths).key.unlink()
    with pytest.raises(IdentityError, match=r"key\.pem is missing: .*orillo enroll"):
        load_identity(paths)


def test_no_key_in_any_representation(paths: Paths) -> None:
    with staging(paths) as staged:
        write_key(staged, b"very secret")
        device = commit(paths, staged, trust_file(), b"certificate", [b"ca"])
    assert "very secret" not in repr(device)


def test_forgetting_leaves_nothing(paths: Paths) -> None:
    enrolled(paths)
    assert forget_identity(paths)
    assert load_identity(paths) is None
    assert list(paths.state.iterdir()) == []
    assert not forget_identity(paths)


def test_state_that_can_not_be_written_is_told(paths: Paths) -> None:
    paths.state.parent.mkdir(parents=True)
    paths.state.write_text("in the way")
    with pytest.raises(IdentityError, match="can't keep the identity"), staging(paths):
        pass
