# SPDX-License-Identifier: Apache-2.0
"""How a verb runs a command: in this process if no server runs, else through the server's admin socket."""

import http.client
import json
import os
import pwd
import socket
import time
from pathlib import Path
from typing import Any

from cloud.app import App
from cloud.commands import COMMAND_PATH, dispatch
from cloud.faults import CommandError, Exit
from cloud.paths import CloudPaths
from cloud.settings import read_settings
from cloud.store.lock import WriterLock

#: A starting server, or another verb, holds the lock and has no socket to be asked on; seconds to wait.
_PATIENCE = 10.0
_PAUSE = 0.05
_ANSWER = 120.0


def ask(paths: CloudPaths, command: str, **parameters: object) -> Any:
    """The command's result. Raises `CommandError` and what opening the store raises."""
    read_settings(paths.settings)  # says so, if there is no operator here
    deadline = time.monotonic() + _PATIENCE
    while True:
        if lock := WriterLock.take(paths.lock):
            with lock:
                return _alone(paths, command, parameters)
        if connection := _connect(paths.admin_socket):
            return _through(connection, command, parameters)
        if time.monotonic() > deadline:
            raise CommandError(
                f"another orillo-cloud holds {paths.lock} and does not answer on {paths.admin_socket}: "
                "end it, then try again",
                Exit.CANNOT_RUN,
            )
        time.sleep(_PAUSE)


def author() -> str:
    """Who runs this program, for the record: `user@host`."""
    return f"{os.environ.get('SUDO_USER') or _user()}@{socket.gethostname()}"


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # as in containers that run as a number
        return f"uid-{os.getuid()}"


def _alone(paths: CloudPaths, command: str, parameters: dict[str, object]) -> Any:
    app = App.open(paths)
    try:
        return dispatch(app, command, parameters)
    finally:
        app.store.close()


def _connect(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_ANSWER)
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError:
        connection.close()
        raise
    return connection


def _through(connection: socket.socket, command: str, parameters: dict[str, object]) -> Any:
    client = http.client.HTTPConnection("admin")
    client.sock = connection
    try:
        client.request("POST", COMMAND_PATH + command, json.dumps(parameters))
        response = client.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        message = f"the server gave no usable answer ({error}): see its log, then try again"
        raise CommandError(message, Exit.CANNOT_RUN) from error
    finally:
        client.close()
    if response.status != http.client.OK:
        raise CommandError(answer["error"], Exit(answer["code"]))
    return answer
