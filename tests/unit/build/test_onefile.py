# SPDX-License-Identifier: Apache-2.0
"""One file unpacks once, for its owner alone, and runs nothing that somebody else could have put there."""

import os
import subprocess
from pathlib import Path

import pytest

from orillo_build.onefile import make_one_file


@pytest.fixture
def one_file(tmp_path: Path) -> Path:
    """Of a program that says where it is and what it was told."""
    programs = tmp_path / "programs"
    (programs / "lib").mkdir(parents=True)
    (programs / "lib/data").write_bytes(os.urandom(50_000))
    program = programs / "orillo"
    program.write_text('#!/bin/sh\necho "$0" "$@"\nexit 4\n')
    program.chmod(0o755)
    return make_one_file(programs, tmp_path / "orillo", 1_700_000_000)


def call(one_file: Path, cache: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "ORILLO_CACHE": str(cache)}
    return subprocess.run(
        [str(one_file), *words], env=environment, capture_output=True, text=True, check=False
    )


def test_it_unpacks_once_and_becomes_the_program(one_file: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = call(one_file, cache, "status", "-o", "json")
    assert first.returncode == 4, first.stderr
    where, *words = first.stdout.split()
    assert words == ["status", "-o", "json"]
    assert Path(where).is_relative_to(cache)
    stamp = Path(where).stat().st_ctime_ns
    assert call(one_file, cache).stdout.split() == [where]
    assert Path(where).stat().st_ctime_ns == stamp
    assert [path.stat().st_mode & 0o077 for path in (cache, *cache.iterdir())] == [0, 0]
    assert (Path(where).parent / "lib/data").stat().st_size == 50_000


def test_two_first_calls_at_once_both_run(one_file: Path, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "ORILLO_CACHE": str(tmp_path / "cache")}
    both = [subprocess.Popen([one_file], env=environment, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait(30) for one in both] == [4, 4]


def test_another_version_takes_the_place_of_the_one_before(one_file: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    call(one_file, cache)
    (tmp_path / "programs/lib/data").write_bytes(b"next")
    after = make_one_file(tmp_path / "programs", tmp_path / "next", 1_700_000_000)
    assert call(after, cache).returncode == 4
    assert len(list(cache.iterdir())) == 1


def test_the_same_directory_gives_the_same_file(one_file: Path, tmp_path: Path) -> None:
    (tmp_path / "programs/orillo").touch()
    again = make_one_file(tmp_path / "programs", tmp_path / "again", 1_700_000_000)
    assert again.read_bytes() == one_file.read_bytes()


def test_a_truncated_file_says_so_and_leaves_nothing(one_file: Path, tmp_path: Path) -> None:
    one_file.write_bytes(one_file.read_bytes()[:-1000])
    done = call(one_file, tmp_path / "cache")
    assert (done.returncode, list((tmp_path / "cache").iterdir())) == (3, [])
    assert "is damaged: fetch it anew" in done.stderr


@pytest.mark.parametrize("before", [True, False])
def test_what_others_can_write_to_is_not_run(one_file: Path, tmp_path: Path, before: bool) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    if not before:
        assert call(one_file, cache).returncode == 4
    cache.chmod(0o777)
    done = call(one_file, cache)
    assert done.returncode == 3
    assert "can be written to by others: remove it" in done.stderr
