# SPDX-License-Identifier: Apache-2.0
"""Log lines, authors, and the remedies of listeners."""

import errno
import logging
import os
import sys

import pytest

from cloud.cli.client import author
from cloud.cli.logs import KeyValueFormatter
from cloud.endpoint.sockets import ListenError, listen_tcp


def record(name: str, message: str) -> logging.LogRecord:
    """One event of the log."""
    return logging.LogRecord(name, logging.INFO, "", 0, message, (), None)


def test_our_events_are_keys_and_values_already() -> None:
    line = KeyValueFormatter().format(record("cloud.app", "event=changed devices=shop1"))
    assert line.endswith("Z level=info event=changed devices=shop1")


def test_others_become_one_value() -> None:
    line = KeyValueFormatter().format(record("aiohttp.server", 'a\n"b"'))
    assert line.endswith(r'event=library library=aiohttp.server message="a\n\"b\""')


def test_trace_stays_on_its_line() -> None:
    event = record("asyncio", "failed")
    try:
        int("why")
    except ValueError:
        event.exc_info = sys.exc_info()
    line = KeyValueFormatter().format(event)
    assert "\n" not in line
    assert "ValueError: invalid literal" in line


def test_author_is_who_called_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "alice")
    assert author().startswith("alice@")


def test_author_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987654)
    assert author().startswith("uid-987654@")


def test_low_port_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("socket.has_dualstack_ipv6", lambda: False)
    monkeypatch.setattr("socket.create_server", refuse)
    with pytest.raises(
        ListenError, match=r"every address, port 443: ports below 1024 need root .*cloud\.toml"
    ):
        listen_tcp("", 443, "control_port in /etc/orillo/cloud.toml")
