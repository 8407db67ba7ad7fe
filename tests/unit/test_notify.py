# SPDX-License-Identifier: Apache-2.0
"""What the service manager is told."""

import secrets
import socket
from pathlib import Path

import pytest

from appliance.notify import ALIVE, READY, notify


def test_manager_hears_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(place)
        monkeypatch.setenv("NOTIFY_SOCKET", place)
        notify(READY)
        notify(ALIVE)
        assert [manager.recv(64), manager.recv(64)] == [b"READY=1", b"WATCHDOG=1"]


def test_abstract_socket_too(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"orillo-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify(READY)
        assert manager.recv(64) == b"READY=1"


def test_nobody_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify(READY)
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify(READY)
