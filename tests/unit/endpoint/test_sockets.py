# SPDX-License-Identifier: Apache-2.0
"""The administrator's socket: for its owner only, in directories that an owner without root can enter."""

from pathlib import Path

from cloud.endpoint.sockets import listen_unix


def test_socket_is_private_and_its_directories_are_not_closed_to_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "run/orillo-cloud/admin.sock"
    with listen_unix(path):
        assert path.stat().st_mode & 0o777 == 0o600
        for directory in (path.parent, path.parent.parent):
            assert directory.stat().st_mode & 0o700 == 0o700


def test_socket_of_a_process_that_died_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    listen_unix(path).close()
    with listen_unix(path):
        assert path.is_socket()
