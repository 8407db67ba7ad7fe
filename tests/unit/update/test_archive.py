# SPDX-License-Identifier: Apache-2.0
"""Release files: what is believed, and what is refused before anything of it is on disk."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.update.archive import entries, open_release
from appliance.update.manifest import ReleaseError, order, refuse_unfit
from appliance.update.signature import trusted_keys
from tests.unit.update.made import KEY, STRANGER, manifest, release_bytes, trust

GOOD = release_bytes("2.0")


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], dict[str, bytes]]:
    keys = trusted_keys([trust(tmp_path / "keys", KEY)])

    def read(data: bytes) -> dict[str, bytes]:
        file = tmp_path / "release"
        file.write_bytes(data)
        return {str(entry.path): entry.content for entry in entries(open_release(file, keys))}

    return read


Read = Callable[[bytes], dict[str, bytes]]


def test_signed_release_is_read(read: Read) -> None:
    assert read(GOOD)["lib/part"] == b"part of 2.0"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no release"),
        (b"something else altogether" * 100, "no release"),
        (GOOD[:100], "no release"),
        (GOOD[:1500], "cut short"),
        (GOOD[: GOOD.index(b"\xfd7zXZ") + 100], "damaged or cut short"),
        (release_bytes("2.0", key=None), "not signed"),
        (release_bytes("2.0", key=STRANGER), "does not trust"),
        (release_bytes("2.0", product="other"), "this is other"),
        (release_bytes("2.0", format=2), "format 2"),
        (release_bytes("../2.0"), "no version"),
        (release_bytes("2.0", archive={"sha256": "0" * 64, "size": 10, "unpacked": 10}), "digest"),
        (release_bytes("2.0", archive={"sha256": "0" * 64, "size": 1 << 40, "unpacked": 10}), "manifest"),
        (release_bytes("2.0", {"../x": b""}), "outside of itself"),
        (release_bytes("2.0", {"/x": b""}), "outside of itself"),
        (release_bytes("2.0", {"x": "/etc/passwd"}), "link out of itself"),
        (release_bytes("2.0", {"x": "../../y"}), "link out of itself"),
        (release_bytes("2.0", {"x": b"0" * 200_000}), "must not have"),
    ],
)
def test_what_is_wrong_is_refused(read: Read, data: bytes, words: str) -> None:
    with pytest.raises(ReleaseError, match=words):
        read(data)


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7))
def test_changed_byte_changes_nothing_that_is_believed(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    """Wherever a bit flips: what is read is what was signed, or nothing is."""
    place = tmp_path_factory.getbasetemp()
    keys = trusted_keys([trust(place / "keys", KEY)])
    changed = bytearray(GOOD)
    changed[at] ^= 1 << bit
    (place / "flipped").write_bytes(changed)
    try:
        found = list(entries(open_release(place / "flipped", keys)))
    except ReleaseError:
        return
    (place / "good").write_bytes(GOOD)
    assert found == list(entries(open_release(place / "good", keys)))


@settings(max_examples=60, deadline=None)
@given(length=st.integers(0, len(GOOD) - 1))
def test_cut_file_is_never_read(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    place = tmp_path_factory.getbasetemp()
    keys = trusted_keys([trust(place / "keys", KEY)])
    (place / "cut").write_bytes(GOOD[:length])
    try:
        list(entries(open_release(place / "cut", keys)))
    except ReleaseError:
        return
    # Only the padding behind the last member may be missing.
    assert GOOD[length:].strip(b"\0") == b""


def test_without_a_key_nothing_is_believed(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="release-keys"):
        open_release(tmp_path / "any", {})


def test_key_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("nonsense")
    with pytest.raises(ReleaseError, match=r"a\.pem"):
        trusted_keys([tmp_path])


def test_no_keys_directory_is_no_keys(tmp_path: Path) -> None:
    assert trusted_keys([tmp_path / "none"]) == {}


def test_release_for_another_machine_is_refused() -> None:
    with pytest.raises(ReleaseError, match="for arm64, and this device is amd64"):
        refuse_unfit(manifest("2.0", architecture="arm64"), "1.0", "amd64", allow_downgrade=True)


def test_older_release_is_refused_unless_asked_for() -> None:
    with pytest.raises(ReleaseError, match=r"older than 2\.0, which runs here: --allow-downgrade"):
        refuse_unfit(manifest("1.9"), "2.0", "amd64", allow_downgrade=False)
    refuse_unfit(manifest("1.9"), "2.0", "amd64", allow_downgrade=True)
    refuse_unfit(manifest("2.0"), "2.0", "amd64", allow_downgrade=False)


def test_order_of_versions() -> None:
    words = [
        "x",
        "0.9",
        "1.0.dev1",
        "1.0~rc1",
        "1.0a1",
        "1.0rc1",
        "1.0",
        "1.0+b2",
        "1.0+b10",
        "1.0.1",
        "1.10",
    ]
    ordered = sorted(words, key=order)
    assert ordered[0] == "x"
    assert ordered[-5:] == ["1.0", "1.0+b2", "1.0+b10", "1.0.1", "1.10"]
    assert all(order(early) < order("1.0") for early in ("1.0.dev1", "1.0~rc1", "1.0a1", "1.0rc1"))
    assert order("1.0") == order("1")
