# SPDX-License-Identifier: Apache-2.0
"""Making a release, of a directory that stands for a build; what is made is what a device reads."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from appliance.update.archive import entries, open_release
from appliance.update.manifest import ReleaseError
from appliance.update.signature import trusted_keys
from orillo_pack.release import make_release
from tests.unit.update.made import KEY, STRANGER, trust

ROOT = Path(__file__).parents[3]


@pytest.fixture
def built(tmp_path: Path) -> Path:
    directory = tmp_path / "orillo"
    (directory / "certifi").mkdir(parents=True)
    (directory / "certifi/cacert.pem").write_text("a file")
    (directory / "orillo").write_text("#!/bin/sh\n")
    (directory / "orillo").chmod(0o755)
    (directory / "libx.so").symlink_to("libx.so.1")
    for name, key in (("key", KEY), ("other", STRANGER)):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / name).write_bytes(pem)
    return directory


def make(built: Path, out: str, *keys: str) -> Path:
    place = built.parent
    return make_release(
        built,
        place / out,
        version="2.0",
        architecture="amd64",
        commit="abc",
        epoch=1_700_000_000,
        keys=[place / key for key in keys],
    )


def test_release_is_what_a_device_reads(built: Path, tmp_path: Path) -> None:
    file = make(built, "out", "other", "key")
    release = open_release(file, trusted_keys([trust(tmp_path / "keys", KEY)]))
    assert (release.manifest.version, release.manifest.commit) == ("2.0", "abc")
    found = {str(entry.path): entry for entry in entries(release)}
    assert found["orillo"].executable
    assert not found["certifi/cacert.pem"].executable
    assert found["libx.so"].target == "libx.so.1"
    assert file.name == "orillo_2.0_amd64.release"


def test_same_input_gives_the_same_release(built: Path) -> None:
    assert make(built, "a", "key").read_bytes() == make(built, "b", "key").read_bytes()


def test_key_that_is_none_is_named(built: Path) -> None:
    (built.parent / "key").write_text("secret words")
    with pytest.raises(ReleaseError, match="private key") as refused:
        make(built, "out", "key")
    assert "secret words" not in str(refused.value)


def test_no_private_key_is_in_the_tree() -> None:
    done = subprocess.run(
        ["git", "grep", "-lE", "BEGIN [A-Z ]*PRIVATE KEY-----$", "--", ":!tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
