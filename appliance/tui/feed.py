# SPDX-License-Identifier: Apache-2.0
"""Where snapshots and answers come from: the daemon, or a file of what it once said."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

import msgspec

from appliance.status.client import read_answer, read_snapshot
from appliance.status.model import Snapshot
from appliance.status.watching import DoorError, ask, follow, watch

#: What comes: a snapshot, or why there is none.
Word = Snapshot | str
Feed = Callable[[], AsyncIterator[Word]]
#: Asks the daemon: parts of the answer as {"part": ...} where it is told in parts, and the whole last.
Asker = Callable[[str, Mapping[str, Any]], AsyncIterator[Mapping[str, Any]]]

_RETRY = 1.0
_LONGEST_PAUSE = 5.0
#: Answers that come in parts, and the longest silence between two of them, in seconds.
_WALKS = {"doctor": 30.0, "why": 15.0}
#: How long an answer may take, in seconds, where that is more than a moment.
_TAKES = {"enroll": 60.0, "reinitiate": 20.0, "bugreport": 60.0, "lookup": 10.0}
#: Between two steps of a recorded walk, in seconds.
_STEP = 0.25
#: What tells one question from another of the same operation.
_TELLING = ("peer", "name", "a", "b", "port")


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

    async def request(op: str, fields: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        if op in _WALKS:
            async for answer in follow(path, op, _WALKS[op], **fields):
                yield answer
        else:
            yield await ask(path, op, timeout=_TAKES.get(op, 5.0), **fields)

    return request


class Said(msgspec.Struct, frozen=True):
    """An answer in a recording: to which question, and what it was."""

    op: str
    answer: dict[str, Any]
    fields: dict[str, Any] = {}


@dataclass
class Recording:
    """What a daemon said: snapshots, and the answers between them, each after so many snapshots."""

    snapshots: tuple[Snapshot, ...]
    said: tuple[tuple[int, Said], ...] = ()
    _shown: int = field(default=1)

    async def feed(self) -> AsyncIterator[Word]:
        """The snapshots at their own pace, long pauses shortened; then it stands still."""
        before: Snapshot | None = None
        for count, snapshot in enumerate(self.snapshots, start=1):
            pause = (snapshot.at - before.at).total_seconds() if before else 0.0
            await asyncio.sleep(min(_LONGEST_PAUSE, max(0.0, pause)))
            self._shown = count
            yield snapshot
            before = snapshot

    async def ask(self, op: str, fields: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        """What was answered then; a walk in its steps. Raises `DoorError` for what nobody asked."""
        found = self._found(op, fields)
        if found is None:
            raise DoorError("this is a recording, and nobody asked that when it was made")
        for hop in found.get("hops", ()) if op == "why" else ():
            await asyncio.sleep(_STEP)
            yield {"part": hop}
        yield found

    def _found(self, op: str, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
        wanted = [fields.get(name) for name in _TELLING]
        same = [
            (count, one.answer)
            for count, one in self.said
            if one.op == op and [one.fields.get(name) for name in _TELLING] == wanted
        ]
        until_now = [answer for count, answer in same if count <= self._shown]
        return until_now[-1] if until_now else (same[0][1] if same else None)


def read_recording(path: Path) -> Recording:
    """A file that `--record` wrote. Raises `DoorError`, naming the line."""
    try:
        return read_lines(path.read_bytes(), path)
    except OSError as error:
        raise DoorError(f"can't read {path}: {error.strerror}") from error


def demo() -> Recording:
    """The recording that comes with the program."""
    resource = files("appliance.tui").joinpath("demo.jsonl")
    return read_lines(resource.read_bytes(), Path("demo.jsonl"))


def read_lines(data: bytes, path: Path) -> Recording:
    """The lines of a recording. Raises `DoorError`."""
    snapshots: list[Snapshot] = []
    said: list[tuple[int, Said]] = []
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            found = read_answer(line, path)
            if "said" in found:
                said.append((len(snapshots), msgspec.convert(found["said"], Said)))
            else:
                snapshots.append(read_snapshot(found))
        except (DoorError, msgspec.ValidationError) as error:
            raise DoorError(f"{path}, line {number}: no recording of `orillo tui --record`") from error
    if not snapshots:
        raise DoorError(f"{path} is empty: a recording has one snapshot a line")
    return Recording(tuple(snapshots), tuple(said))


def recording(snapshot: Snapshot) -> bytes:
    """A snapshot as a line of a recording, which is what the socket says."""
    return msgspec.json.encode({"ok": True, "status": snapshot}, enc_hook=str) + b"\n"


def recorded_answer(op: str, fields: Mapping[str, Any], answer: Mapping[str, Any]) -> bytes:
    """An answer as a line of a recording; what a question holds of secrets is not in it."""
    kept = {name: value for name, value in fields.items() if name in _TELLING}
    said = Said(op, {name: value for name, value in answer.items() if name != "ok"}, kept)
    return msgspec.json.encode({"ok": True, "said": said}, enc_hook=str) + b"\n"


def recorded(feed: Feed, file: IO[bytes]) -> Feed:
    """The same feed, each snapshot written to `file` on its way."""

    async def words() -> AsyncIterator[Word]:
        async for word in feed():
            if isinstance(word, Snapshot):
                file.write(recording(word))
                file.flush()
            yield word

    return words


#: A report is a file of its own, and no part of a recording.
_NOT_RECORDED = ("bugreport", "enroll")


def recorded_asker(asker: Asker, file: IO[bytes]) -> Asker:
    """The same asker, each whole answer written to `file` on its way unless it only says the same again."""

    before: dict[str, bytes] = {}

    async def request(op: str, fields: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        async for answer in asker(op, fields):
            if "part" not in answer and op not in _NOT_RECORDED:
                line = recorded_answer(op, fields, answer)
                if before.get(op) != line:
                    file.write(line)
                    file.flush()
                before[op] = line
            yield answer

    return request
