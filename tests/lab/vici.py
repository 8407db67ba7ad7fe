# SPDX-License-Identifier: Apache-2.0
"""charon's own interface, used as another program on the host could."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import vici


@contextmanager
def _session(path: Path) -> Iterator[Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(10.0)
        channel.connect(str(path))
        yield vici.Session(channel)


def load_connection(path: Path, name: str, settings: Mapping[str, Any]) -> None:
    """Load or replace a connection of the charon behind `path`."""
    with _session(path) as session:
        session.load_conn({name: settings})


def terminate(path: Path, name: str) -> None:
    """End the IKE SAs of a connection by force; that there are none is fine."""
    with _session(path) as session:
        try:
            list(session.terminate({"ike": name, "force": "yes", "timeout": "-1"}))
        except vici.exception.CommandException:
            return
