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


def load_credentials(path: Path, ca: str, leaf: str, key: bytes) -> None:
    """Replace all credentials of the charon behind `path` by these, in PEM."""
    with _session(path) as session:
        session.clear_creds()
        session.flush_certs({"type": "X509"})
        session.load_cert({"type": "X509", "flag": "CA", "data": ca})
        session.load_cert({"type": "X509", "flag": "NONE", "data": leaf})
        session.load_key({"type": "any", "data": key})


def terminate(path: Path, name: str) -> None:
    """End the IKE SAs of a connection by force; that there are none is fine."""
    with _session(path) as session:
        try:
            list(session.terminate({"ike": name, "force": "yes", "timeout": "-1"}))
        except vici.exception.CommandException:
            return
