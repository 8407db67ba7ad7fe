# SPDX-License-Identifier: Apache-2.0
"""Watching the daemon without blocking, for a terminal that lives on while daemons come and go.

The blocking `client` is for commands; both read the same lines.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from appliance.netcore.errors import DoorError as DoorError  # for the terminal, which knows the status only
from appliance.netcore.plan.values import encode
from appliance.status.client import LONGEST_ANSWER, NotRunningError, read_answer, read_snapshot
from appliance.status.model import Snapshot

#: A daemon that says nothing for this long, in seconds, is asked whether it is still there.
SILENCE = 10.0
_ANSWER = 5.0


async def ask(path: Path, op: str, timeout: float = _ANSWER, **fields: Any) -> Mapping[str, Any]:
    """Send one request and return the fields of its answer. Raises `NotRunningError` or `DoorError`."""
    async with _connection(path, op, fields) as lines:
        return read_answer(await _line(lines, path, timeout), path)


async def follow(path: Path, op: str, timeout: float, **fields: Any) -> AsyncIterator[Mapping[str, Any]]:
    """The parts of an answer as they come, each as {"part": ...}, then the whole of it. Raises as `ask`.

    `timeout` is the longest silence, in seconds.
    """
    async with _connection(path, op, {**fields, "parts": True}) as lines:
        while True:
            answer = read_answer(await _line(lines, path, timeout), path)
            yield answer
            if "part" not in answer:
                return


async def watch(path: Path, silence: float = SILENCE) -> AsyncIterator[Snapshot]:
    """Snapshots as they change, until the daemon ends or no longer answers. Raises as `ask`."""
    async with _connection(path, "watch", {}) as lines:
        timeout = _ANSWER
        while True:
            try:
                async with asyncio.timeout(timeout):
                    line = await _line(lines, path, None)
            except TimeoutError:
                # It may only have nothing new: one that hangs does not answer a second connection either.
                yield read_snapshot(await ask(path, "status"))
            else:
                yield read_snapshot(read_answer(line, path))
            timeout = silence


@asynccontextmanager
async def _connection(path: Path, op: str, fields: Mapping[str, Any]) -> AsyncIterator[asyncio.StreamReader]:
    try:
        async with asyncio.timeout(_ANSWER):
            reader, writer = await asyncio.open_unix_connection(str(path), limit=LONGEST_ANSWER)
        try:
            writer.write(encode({"op": op, **fields}) + b"\n")
            yield reader
        finally:
            writer.close()
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise NotRunningError("the daemon does not run: start it with `systemctl start orillo`") from error
    except PermissionError as error:
        raise DoorError(f"{path} may not be opened by this user: try it with sudo") from error
    except TimeoutError as error:
        raise DoorError("the daemon takes no connection: it is busy, or hangs; see its log") from error
    except OSError as error:
        raise DoorError(f"talking to the daemon failed: {error.strerror or error}") from error


async def _line(lines: asyncio.StreamReader, path: Path, timeout: float | None) -> bytes:
    try:
        async with asyncio.timeout(timeout):
            line = await lines.readline()
    except ValueError as error:
        raise DoorError(f"the daemon at {path} sent no end of a line: is it another version?") from error
    except TimeoutError as error:
        if timeout is None:
            raise
        raise DoorError(f"the daemon does not answer within {timeout:.0f} s: it is busy, or hangs") from error
    if not line:
        raise NotRunningError("the daemon ended, or is being started anew")
    if not line.endswith(b"\n"):
        raise NotRunningError("the daemon ended in the middle of an answer")
    return line
