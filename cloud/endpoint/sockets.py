# SPDX-License-Identifier: Apache-2.0
"""The sockets that the listeners stand on, bound before anything is served, and what to do if that fails."""

import errno
import socket
from pathlib import Path


class ListenError(Exception):
    """A listener can't have its address; the text says which, why, and what to do."""


def listen_tcp(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket; an empty `host` stands for every address. Raises `ListenError`.

    `setting` is what the operator would change to have another port.
    """
    where = f"{host or 'every address'}, port {port}"
    try:
        return _any_address(port) if not host else socket.create_server((host, port), family=_family(host))
    except OSError as error:
        raise ListenError(f"can't listen on {where}: {_remedy(error, setting)}") from error


def listen_unix(path: Path) -> socket.socket:
    """A listening socket at `path`, for its owner only. Raises `ListenError`.

    One that is there already was left by a process that died: the caller holds the `WriterLock`.
    """
    listener = socket.socket(socket.AF_UNIX)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        # Before `listen` nobody can connect, so there is no moment with a wider mode.
        path.chmod(0o600)
        listener.listen()
    except OSError as error:
        listener.close()
        raise ListenError(f"can't listen on {path}: {error.strerror or error}") from error
    return listener


def _any_address(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as error:
            # IPv6 may be compiled in and still be switched off (net.ipv6.conf.all.disable_ipv6).
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
    return socket.create_server(("", port))


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _remedy(error: OSError, setting: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"another program has it. Stop that one, or change {setting}"
        case errno.EACCES | errno.EPERM:
            return f"ports below 1024 need root (or CAP_NET_BIND_SERVICE). Run as root, or change {setting}"
        case errno.EADDRNOTAVAIL:
            return "this host does not have that address. Change `listen`"
    return error.strerror or str(error)
