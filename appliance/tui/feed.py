# SPDX-License-Identifier: Apache-2.0
"""Where snapshots come from: the daemon, or a file of what it once said."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

import msgspec

from appliance.status.client import read_answer, read_snapshot
from appliance.status.model import Snapshot
from appliance.status.watching import DoorError, ask, watch

#: What comes: a snapshot, or why there is none.
Word = Snapshot | str
Feed = Callable[[], AsyncIterator[Word]]
Asker = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]

_RETRY = 1.0
_LONGEST_PAUSE = 5.0
#: How long an answer may take, in seconds, where that is more than a moment.
_TAKES = {"enroll": 60.0, "doctor": 30.0, "why": 30.0}


def live(path: Path) -> Feed:
    """The daemon at a socket, again and again when it goes away."""

    async def words() -> AsyncIterator[Word]:
        while True:
            try:
                async for snapshot in watch(path):
                    yield snapshot
            except DoorError as error:
                yield str(error)
            await asyncio.sleep(_RETRY)

    return words


def live_asker(path: Path) -> Asker:
    """Requests to that daemon. Raises `DoorError`."""

    async def request(op: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return await ask(path, op, timeout=_TAKES.get(op, 5.0), **fields)

    return request


def replay(snapshots: Sequence[Snapshot]) -> Feed:
    """Recorded snapshots at their own pace, long pauses shortened; then it stands still."""

    async def words() -> AsyncIterator[Word]:
        before: Snapshot | None = None
        for snapshot in snapshots:
            pause = (snapshot.at - before.at).total_seconds() if before else 0.0
            await asyncio.sleep(min(_LONGEST_PAUSE, max(0.0, pause)))
            yield snapshot
            before = snapshot

    return words


async def replay_asker(_op: str, _fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """There is nobody to ask."""
    raise DoorError("this is a recording: nothing can be done to it")


def read_recording(path: Path) -> tuple[Snapshot, ...]:
    """The snapshots of a file that `--record` wrote. Raises `DoorError`, naming the line."""
    try:
        return read_lines(path.read_bytes(), path)
    except OSError as error:
        raise DoorError(f"can't read {path}: {error.strerror}") from error


def demo() -> tuple[Snapshot, ...]:
    """The recording that comes with the program."""
    resource = files("appliance.tui").joinpath("demo.jsonl")
    return read_lines(resource.read_bytes(), Path("demo.jsonl"))


def read_lines(data: bytes, path: Path) -> tuple[Snapshot, ...]:
    """The snapshots in the lines of a recording. Raises `DoorError`."""
    found: list[Snapshot] = []
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            found.append(read_snapshot(read_answer(line, path)))
        except DoorError as error:
            raise DoorError(f"{path}, line {number}: no recording of `orillo tui --record`") from error
    if not found:
        raise DoorError(f"{path} is empty: a recording has one snapshot a line")
    return tuple(found)


def recording(snapshot: Snapshot) -> bytes:
    """A snapshot as a line of a recording, which is what the socket says."""
    return msgspec.json.encode({"ok": True, "status": snapshot}, enc_hook=str) + b"\n"


def recorded(feed: Feed, file: IO[bytes]) -> Feed:
    """The same feed, each snapshot written to `file` on its way."""

    async def words() -> AsyncIterator[Word]:
        async for word in feed():
            if isinstance(word, Snapshot):
                file.write(recording(word))
                file.flush()
            yield word

    return words
