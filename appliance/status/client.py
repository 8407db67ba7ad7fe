# SPDX-License-Identifier: Apache-2.0
"""Asking the daemon over its status socket. Blocking, for commands; each call is one connection."""

import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import msgspec

from appliance.netcore.errors import DoorError
from appliance.netcore.plan.values import convert, encode
from appliance.status.model import Snapshot

_CREDENTIALS = struct.Struct("3i")
LONGEST_ANSWER = 64 * 1024 * 1024


class NotRunningError(DoorError):
    """No daemon answers at the socket."""


def status(path: Path, timeout: float = 5.0) -> Snapshot:
    """The daemon's snapshot. Raises `NotRunningError` or `DoorError`."""
    return read_snapshot(command(path, "status", timeout=timeout))


def command(path: Path, op: str, timeout: float = 5.0, **fields: Any) -> Mapping[str, Any]:
    """Send one request and return the fields of its answer. Raises `NotRunningError` or `DoorError`."""
    with _connection(path, timeout, op, fields) as lines:
        return _next(lines, path)


def watch(path: Path, timeout: float | None = None) -> Iterator[Snapshot]:
    """Snapshots as they change, without end; `timeout` is for each one. Raises as `status`."""
    with _connection(path, timeout, "watch", {}) as lines:
        while True:
            yield read_snapshot(_next(lines, path))


def daemon_pid(path: Path) -> int | None:
    """The pid of the daemon that holds the socket, or None if nobody answers there (SO_PEERCRED, unix(7))."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return None
        except OSError as error:
            raise DoorError(f"can't ask at {path} whether the daemon runs: {error}") from error
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, _uid, _gid = _CREDENTIALS.unpack(raw)
        return int(pid)


@contextmanager
def _connection(
    path: Path, timeout: float | None, op: str, fields: Mapping[str, Any]
) -> Iterator[BufferedReader]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
            connection.sendall(encode({"op": op, **fields}) + b"\n")
            with connection.makefile("rb") as lines:
                yield lines
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
            raise NotRunningError(
                f"no daemon answers at {path}: start it with `orillo run` (or `systemctl start orillo`)"
            ) from error
        except PermissionError as error:
            raise DoorError(f"{path} may not be opened by this user: try it with sudo") from error
        except TimeoutError as error:
            raise DoorError(f"the daemon at {path} did not answer within {timeout} s: see its log") from error
        except OSError as error:
            raise DoorError(f"talking to the daemon at {path} failed: {error.strerror or error}") from error


def _next(lines: BufferedReader, path: Path) -> Mapping[str, Any]:
    return read_answer(lines.readline(LONGEST_ANSWER), path)


def read_answer(line: bytes, path: Path) -> Mapping[str, Any]:
    """The fields of an answer; an empty line is the end. Raises `NotRunningError` or `DoorError`."""
    if not line:
        raise NotRunningError(f"the daemon at {path} closed the connection: it is stopping, or was stopped")
    try:
        answer = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise DoorError(f"the daemon at {path} sent no JSON: is it another version?") from error
    if not isinstance(answer, dict) or not answer.get("ok"):
        said = answer.get("error", "") if isinstance(answer, dict) else ""
        raise DoorError(said or f"the daemon at {path} refused and gave no reason")
    return answer


def read_snapshot(answer: Mapping[str, Any]) -> Snapshot:
    """The snapshot in an answer. Raises `DoorError`."""
    try:
        return convert(answer.get("status"), Snapshot)
    except msgspec.ValidationError as error:
        raise DoorError(f"the daemon's status can't be read ({error}): is it another version?") from error
