# SPDX-License-Identifier: Apache-2.0
"""The host as its files show it."""

import os
import socket
from pathlib import Path

from appliance.netcore.kernel.host import Memory, can_open_tun, disk, memory, programs, udp_holders


def test_holder_of_a_port_is_found_by_its_socket() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        assert [holder.pid for holder in udp_holders(port)] == [os.getpid()]
    assert udp_holders(port) == ()


def test_this_process_is_in_its_own_namespace() -> None:
    assert os.getpid() in {program.pid for program in programs()}


def test_memory_is_read_from_what_the_kernel_says(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\nHuge:\n")
    assert memory(tmp_path) == Memory(1_024_000, 256_000)
    assert memory(tmp_path / "nothing") == Memory(0, 0)


def test_disk_of_what_is_not_there_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    there, absent = disk(tmp_path), disk(tmp_path / "not" / "there")
    assert there.read_only is absent.read_only is False
    assert absent.free > 0


def test_what_is_no_device_is_no_tun(tmp_path: Path) -> None:
    assert "No such file" in can_open_tun(tmp_path / "tun")
    (tmp_path / "tun").touch()
    assert "no device" in can_open_tun(tmp_path / "tun")
