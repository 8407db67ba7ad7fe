# SPDX-License-Identifier: Apache-2.0
"""Commands for a machine: one at a time over a socket of QEMU's, answered by `inside/vm-shell`."""

import base64
import shlex
import socket
import threading
import time
from pathlib import Path

from tests.lab.command import LabError, Result

_READY = b"ready"
_PIECE = 65536


class Channel:
    """The host's end. It may be used by several threads, which take turns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._rest = b""
        self._turn = threading.Lock()

    def open(self, seconds: float) -> None:
        """Wait until the machine takes commands. Raises `LabError`."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(self._path))
        deadline = time.monotonic() + seconds
        while self._line(deadline) != _READY:
            pass

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def call(self, argv: tuple[str, ...], feed: str, seconds: float) -> Result:
        """Run a command to its end; raises `LabError` if there is none in time."""
        script = f"{shlex.join(argv)}\n"
        return self._ask(script, argv, feed, seconds)

    def script(self, text: str, seconds: float) -> Result:
        """Run a shell script to its end."""
        return self._ask(text, ("sh",), "", seconds)

    def _ask(self, script: str, argv: tuple[str, ...], feed: str, seconds: float) -> Result:
        with self._turn:
            if self._socket is None:
                raise LabError("this machine is not running")
            self._socket.sendall(b".%b .%b\n" % (_packed(script), _packed(feed)))
            words = self._line(time.monotonic() + seconds).split()
        code, out, err = words
        return Result(argv, int(code), _unpacked(out), _unpacked(err))

    def _line(self, deadline: float) -> bytes:
        assert self._socket is not None
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0:
                raise LabError("the machine did not answer in time")
            self._socket.settimeout(left)
            try:
                piece = self._socket.recv(_PIECE)
            except TimeoutError:
                continue
            if not piece:
                raise LabError("the machine has ended")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def _packed(text: str) -> bytes:
    return base64.b64encode(text.encode())


def _unpacked(word: bytes) -> str:
    return base64.b64decode(word[1:]).decode(errors="replace")
