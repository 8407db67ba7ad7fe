# SPDX-License-Identifier: Apache-2.0
"""Atomic files, on a directory of the test's own."""

from pathlib import Path

import pytest

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel import files


def test_written_and_read_back_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "made" / "deep" / "file"
    files.write_atomic(path, b"one", 0o600)
    assert files.read(path) == b"one"
    assert files.mode_of(path) == 0o600
    files.write_atomic(path, b"two")
    assert files.read_text(path) == "two"
    assert files.mode_of(path) == 0o644
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_reader_keeps_the_file_it_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write_atomic(path, b"old")
    with path.open("rb") as reader:
        files.write_atomic(path, b"new")
        assert reader.read() == b"old"


def test_failure_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.mkdir()
    with pytest.raises(DoorError, match=f"can't write {path}"):
        files.write_atomic(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_absent_is_none_and_removing_it_a_success(tmp_path: Path) -> None:
    path = tmp_path / "absent"
    assert files.read(path) is None
    assert files.read_text(path) is None
    assert files.mode_of(path) is None
    assert files.remove(path) is False
    files.write_atomic(path, b"")
    assert files.remove(path) is True
    assert not path.exists()


def test_text_that_is_no_utf8_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"nameserver \xff")
    assert files.read_text(path) == "nameserver �"


def test_a_directory_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(DoorError, match="can't read"):
        files.read(tmp_path)
