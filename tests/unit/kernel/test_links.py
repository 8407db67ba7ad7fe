# SPDX-License-Identifier: Apache-2.0
"""A daemon's process and its TUN, from a /proc of the test's own, and once from the real one."""

import os
from pathlib import Path

import pytest

from appliance.netcore.kernel.links import running, tun_of


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    """charon runs as process 42 and holds a socket, a TUN that is not attached, and `ipsec1`."""
    process = tmp_path / "proc" / "42"
    (process / "fdinfo").mkdir(parents=True)
    (process / "comm").write_text("charon\n")
    (process / "stat").write_text("42 (char) on) S 1 42\n")
    (process / "fdinfo" / "3").write_text("pos:\t0\nflags:\t02\n")
    (process / "fdinfo" / "4").write_text("pos:\t0\niff:\t\n")
    (process / "fdinfo" / "5").write_text("pos:\t0\niff:\tipsec1\n")
    (tmp_path / "charon.pid").write_text("42\n")
    return tmp_path / "charon.pid"


def proc_of(pid_file: Path) -> Path:
    return pid_file.parent / "proc"


def test_the_tun_is_read_from_the_daemons_descriptors(pid_file: Path) -> None:
    assert running(pid_file, "charon", proc_of(pid_file)) == 42
    assert tun_of(pid_file, proc=proc_of(pid_file)) == "ipsec1"


def test_no_tun_held_is_none(pid_file: Path) -> None:
    (proc_of(pid_file) / "42" / "fdinfo" / "5").unlink()
    assert tun_of(pid_file, proc=proc_of(pid_file)) is None


@pytest.mark.parametrize("content", ["", "junk\n", "43\n", "-1\n"])
def test_a_stale_or_empty_pid_file_is_no_daemon(pid_file: Path, content: str) -> None:
    pid_file.write_text(content)
    assert tun_of(pid_file, proc=proc_of(pid_file)) is None
    pid_file.unlink()
    assert tun_of(pid_file, proc=proc_of(pid_file)) is None


def test_anothers_process_with_the_old_number_is_not_the_daemon(pid_file: Path) -> None:
    (proc_of(pid_file) / "42" / "comm").write_text("editor\n")
    assert running(pid_file, "charon", proc_of(pid_file)) is None


def test_a_zombie_does_not_run(pid_file: Path) -> None:
    (proc_of(pid_file) / "42" / "stat").write_text("42 (charon) Z 1 42\n")
    assert running(pid_file, "charon", proc_of(pid_file)) is None


def test_this_very_process_is_found(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{os.getpid()}\n")
    own = Path("/proc/self/comm").read_text().strip()
    assert running(pid_file, own) == os.getpid()
    assert tun_of(pid_file, own) is None
