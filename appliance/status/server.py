# SPDX-License-Identifier: Apache-2.0
"""The status socket: one JSON object a line in, one or more a line out.

    {"op": "status"}  ->  {"ok": true, "status": {...}}
    {"op": "watch"}   ->  the same line now, and again after each change
    {"op": "metrics"} ->  {"ok": true, "metrics": "..."}, as Prometheus reads them
    {"op": NAME, ...} ->  a look, for all who may open the socket; or a command or a walk, for administrators
                          only (by the peer's uid, unix(7) SO_PEERCRED)
    {"op": WALK, "parts": true, ...}  ->  {"ok": true, "part": {...}} as each is known, then the whole answer

What goes wrong is a line too: {"ok": false, "error": "a sentence"}.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from appliance.netcore.errors import DoorError
from appliance.netcore.plan.values import encode
from appliance.status.metrics import render
from appliance.status.model import Snapshot

#: A command: the request's other fields in, fields of the answer out. It may raise `DoorError`.
Command = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
#: Tells a part of an answer that takes its time.
Tell = Callable[[Mapping[str, Any]], Awaitable[None]]
#: A command that tells parts as they are known, and returns the whole.
Walk = Callable[[Mapping[str, Any], Tell], Awaitable[Mapping[str, Any]]]

LONGEST_LINE = 64 * 1024
_LONGEST_PATH = 107  # sun_path less its terminating NUL (unix(7))
_MODE = 0o660
_IDLE = 60.0
_AT_MOST_EVERY = 1.0
#: Turns of the loop from an accepted connection to its task (make the transport, tell the protocol, start the
#: task), and from a closed transport to a closed socket.
_TURNS = 4
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True)
class Offered:
    """What may be asked for by name: `looks` by all who may open the socket, the others by administrators."""

    commands: Mapping[str, Command] = field(default_factory=dict)
    walks: Mapping[str, Walk] = field(default_factory=dict)
    looks: Mapping[str, Command] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(sorted({*self.commands, *self.walks, *self.looks}))


class StatusServer:
    """Serves `snapshot()` and what is offered on a unix socket at `path`."""

    def __init__(
        self,
        path: Path,
        snapshot: Callable[[], Snapshot],
        offered: Offered,
        administrators: frozenset[int] = frozenset({0}),
    ) -> None:
        self._path = path
        self._snapshot = snapshot
        self._offered = offered
        self._administrators = administrators
        self._server: asyncio.Server | None = None
        self._change = asyncio.Event()
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open the socket. Raises `DoorError`, also if another daemon answers there."""
        listener = _listen(self._path)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=LONGEST_LINE)

    async def close(self) -> None:
        """Close the socket and every connection, and remove the file."""
        if self._server is None:
            return
        for listener in self._server.sockets:
            # No more are accepted, and those that were get their tasks before the server is gone under them.
            asyncio.get_running_loop().remove_reader(listener.fileno())
        await _some_turns()
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await _some_turns()
        self._path.unlink(missing_ok=True)
        self._server = None

    def changed(self) -> None:
        """Tell the watchers to look again."""
        self._change.set()
        self._change = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            pass  # The other side went away, or we do; there is nobody left to tell.
        finally:
            writer.close()
            # Until it is really closed, `close` has to wait for this task.
            with suppress(OSError):
                await writer.wait_closed()
            if task is not None:
                self._serving.discard(task)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(_IDLE):
                    line = await reader.readline()
            except TimeoutError:
                return
            except ValueError:
                # The rest of such a line can't be told from the next one: say so, and hang up.
                await _say(writer, _error(f"a request is at most {LONGEST_LINE} bytes long"))
                return
            if not line:
                return
            request = _parse(line)
            if isinstance(request, dict) and request.get("op") == "watch":
                await self._watch(reader, writer)
                return
            walk = self._offered.walks.get(str(request.get("op"))) if isinstance(request, dict) else None
            if walk is not None and isinstance(request, dict):
                await self._walk(walk, request, writer)
                continue
            await _say(writer, await self._answer(request, writer))

    async def _answer(self, request: dict[str, Any] | str, writer: asyncio.StreamWriter) -> dict[str, Any]:
        if isinstance(request, str):
            return _error(request)
        name = request.get("op")
        if name == "status":
            return {"ok": True, "status": self._snapshot()}
        if name == "metrics":
            return {"ok": True, "metrics": render(self._snapshot())}
        open_to_all = isinstance(name, str) and name in self._offered.looks
        asked = (self._offered.looks if open_to_all else self._offered.commands).get(str(name))
        if asked is None:
            known = ", ".join(["status", "watch", "metrics", *self._offered.names])
            return _error(f"unknown op; known are: {known}")
        if not open_to_all and not self._may(writer):
            return _refusal(name)
        try:
            return {"ok": True, **await asked(request)}
        except DoorError as error:
            return _error(str(error))

    async def _walk(self, walk: Walk, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        """Each part at once for those who want parts; the whole answer for all."""
        if not self._may(writer):
            await _say(writer, _refusal(request["op"]))
            return

        async def tell(part: Mapping[str, Any]) -> None:
            if request.get("parts") is True:
                await _say(writer, {"ok": True, "part": part})

        try:
            answer = {"ok": True, **await walk(request, tell)}
        except DoorError as error:
            answer = _error(str(error))
        await _say(writer, answer)

    def _may(self, writer: asyncio.StreamWriter) -> bool:
        return _uid(writer) in self._administrators

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone = asyncio.ensure_future(reader.read(1))
        try:
            while not gone.done():
                change = asyncio.ensure_future(self._change.wait())
                await _say(writer, {"ok": True, "status": self._snapshot()})
                await asyncio.wait({gone, change}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
                # Several changes in a row make one line.
                await asyncio.wait({gone}, timeout=_AT_MOST_EVERY)
        finally:
            gone.cancel()


async def _some_turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _parse(line: bytes) -> dict[str, Any] | str:
    """The request, or what is wrong with it."""
    try:
        request = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "a request is one JSON object on one line"
    return request if isinstance(request, dict) else "a request is one JSON object on one line"


def _error(text: str) -> dict[str, Any]:
    return {"ok": False, "error": text}


def _refusal(name: object) -> dict[str, Any]:
    return _error(f"{name!r} is for root only: try it with sudo")


async def _say(writer: asyncio.StreamWriter, answer: Mapping[str, Any]) -> None:
    writer.write(encode(answer) + b"\n")
    async with asyncio.timeout(_IDLE):
        await writer.drain()


def _uid(writer: asyncio.StreamWriter) -> int:
    peer = writer.get_extra_info("socket")
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return int(uid)


def _listen(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise DoorError(f"{path} is longer than the {_LONGEST_PATH} bytes of a socket: use a shorter --root")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _bind(listener, path)
    except OSError as error:
        listener.close()
        raise DoorError(f"can't open the status socket {path}: {error.strerror}") from error
    except DoorError:
        listener.close()
        raise
    return listener


def _bind(listener: socket.socket, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if _somebody_answers(path):
        raise DoorError(f"another `orillo run` serves {path}: there is one for each root directory")
    path.unlink(missing_ok=True)
    listener.bind(str(path))
    # Before `listen` nobody can connect, so there is no moment with a wider mode.
    path.chmod(_MODE)
    listener.listen()
    listener.setblocking(False)


def _somebody_answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
    return True
