# SPDX-License-Identifier: Apache-2.0
"""The status socket, from both ends, on a real unix socket."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.netcore.errors import DoorError
from appliance.status import client
from appliance.status.client import NotRunningError
from appliance.status.model import Snapshot
from appliance.status.server import LONGEST_LINE, Offered, StatusServer, Tell
from appliance.status.watching import follow
from tests.unit.status.snapshots import healthy


class Daemon:
    """What stands behind the socket."""

    def __init__(self, path: Path, administrators: frozenset[int]) -> None:
        self.path = path
        self.snapshot = healthy()
        self.enrolled: list[Any] = []
        commands = {"enroll": self.enroll, "fail": self.fail}
        offered = Offered(commands, {"walk": self.walk}, {"look": self.look})
        self.server = StatusServer(path, lambda: self.snapshot, offered, administrators)

    async def enroll(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.enrolled.append(request["code"])
        return {"name": "shop1"}

    async def look(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"seen": request.get("at")}

    async def walk(self, request: Mapping[str, Any], tell: Tell) -> Mapping[str, Any]:
        for step in range(3):
            await tell({"step": step})
        if request.get("fails"):
            raise DoorError("the way is blocked: clear it")
        return {"steps": 3}

    async def fail(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        raise DoorError("the disk is full: make room")


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    made = Daemon(tmp_path / "run/status.sock", frozenset({os.getuid()}))
    await made.server.start()
    yield made
    await made.server.close()


async def ask(path: Path, *lines: bytes, answers: int | None = None) -> list[dict[str, Any]]:
    """Send raw lines; what comes back until the server hangs up, or so many answers."""
    reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 24)
    try:
        writer.write(b"".join(lines))
        if answers is None:
            writer.write_eof()
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(10):
            while answers is None or len(found) < answers:
                line = await reader.readline()
                if not line:
                    break
                found.append(json.loads(line))
        return found
    finally:
        writer.close()


async def test_status_comes_back_as_it_was(daemon: Daemon) -> None:
    assert await asyncio.to_thread(client.status, daemon.path) == daemon.snapshot


async def test_several_requests_on_one_connection(daemon: Daemon) -> None:
    answers = await ask(daemon.path, b'{"op":"status"}\n', b'{"op":"nonsense"}\n', b'{"op":"status"}\n')
    assert [answer["ok"] for answer in answers] == [True, False, True]


async def test_command_gets_its_fields_and_answers(daemon: Daemon) -> None:
    answer = await asyncio.to_thread(client.command, daemon.path, "enroll", code="text")
    assert answer["name"] == "shop1"
    assert daemon.enrolled == ["text"]


async def test_failed_command_is_told(daemon: Daemon) -> None:
    with pytest.raises(DoorError, match="the disk is full: make room"):
        await asyncio.to_thread(client.command, daemon.path, "fail")


async def test_unknown_op_names_the_known(daemon: Daemon) -> None:
    with pytest.raises(DoorError, match="status, watch, metrics, enroll, fail, look, walk"):
        await asyncio.to_thread(client.command, daemon.path, "nonsense")


async def test_commands_are_for_administrators(tmp_path: Path) -> None:
    made = Daemon(tmp_path / "status.sock", frozenset({os.getuid() + 1}))
    await made.server.start()
    with pytest.raises(DoorError, match="for root only"):
        await asyncio.to_thread(client.command, made.path, "enroll", code="text")
    assert made.enrolled == []
    assert await asyncio.to_thread(client.status, made.path) == made.snapshot
    await made.server.close()


async def test_looks_are_for_all_who_may_open_the_socket(tmp_path: Path) -> None:
    made = Daemon(tmp_path / "status.sock", frozenset({os.getuid() + 1}))
    await made.server.start()
    assert (await asyncio.to_thread(client.command, made.path, "look", at="x"))["seen"] == "x"
    with pytest.raises(DoorError, match="'walk' is for root only"):
        await asyncio.to_thread(client.command, made.path, "walk")
    await made.server.close()


async def test_a_walk_tells_its_parts_to_who_wants_them(daemon: Daemon) -> None:
    assert await ask(daemon.path, b'{"op":"walk"}\n') == [{"ok": True, "steps": 3}]
    parts = [answer async for answer in follow(daemon.path, "walk", 5.0)]
    assert [part.get("part") for part in parts] == [{"step": 0}, {"step": 1}, {"step": 2}, None]
    assert parts[-1]["steps"] == 3


async def test_a_walk_that_fails_says_so_after_its_parts(daemon: Daemon) -> None:
    answers = await ask(daemon.path, b'{"op":"walk","parts":true,"fails":true}\n')
    assert [answer["ok"] for answer in answers] == [True, True, True, False]
    with pytest.raises(DoorError, match="the way is blocked"):
        _ = [part async for part in follow(daemon.path, "walk", 5.0, fails=True)]


async def test_watch_tells_of_changes(daemon: Daemon) -> None:
    def two() -> list[Snapshot]:
        snapshots = client.watch(daemon.path, timeout=10)
        return [next(snapshots), next(snapshots)]

    watching = asyncio.ensure_future(asyncio.to_thread(two))
    daemon.snapshot = replace(daemon.snapshot, generation=13)
    while not watching.done():
        daemon.snapshot = replace(daemon.snapshot, generation=daemon.snapshot.generation + 1)
        daemon.server.changed()
        await asyncio.sleep(0.01)
    first, second = await watching
    assert second.generation > first.generation


async def test_watcher_that_leaves_is_forgotten(daemon: Daemon) -> None:
    assert len(await ask(daemon.path, b'{"op":"watch"}\n', answers=1)) == 1
    assert await asyncio.to_thread(client.status, daemon.path) == daemon.snapshot


async def test_socket_is_for_its_owner_and_group(daemon: Daemon) -> None:
    assert daemon.path.stat().st_mode & 0o777 == 0o660


async def test_line_that_is_too_long_ends_the_connection_with_a_word(daemon: Daemon) -> None:
    (answer,) = await ask(daemon.path, b"x" * (2 * LONGEST_LINE) + b"\n")
    assert "at most" in answer["error"]
    assert await asyncio.to_thread(client.status, daemon.path) == daemon.snapshot


@given(
    st.one_of(
        st.binary(max_size=300).map(lambda data: data.replace(b"\n", b"")),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
        ).map(lambda value: json.dumps(value).encode()),
        st.dictionaries(st.sampled_from(["op", "token"]), st.none() | st.integers() | st.text()).map(
            lambda value: json.dumps(value).encode()
        ),
    ).filter(bool)
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_garbage_is_answered_with_an_error_line(tmp_path: Path, garbage: bytes) -> None:
    async def one() -> None:
        made = Daemon(tmp_path / "status.sock", frozenset({os.getuid()}))
        await made.server.start()
        answers = await ask(made.path, garbage + b"\n", b'{"op":"status"}\n')
        assert [answer["ok"] for answer in answers] == [False, True]
        assert answers[0]["error"]
        await made.server.close()

    asyncio.run(one())


async def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError, match="orillo run"):
        client.status(tmp_path / "status.sock")


async def test_socket_of_a_daemon_that_died_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(NotRunningError):
        client.status(path)
    successor = Daemon(path, frozenset())
    await successor.server.start()
    assert await asyncio.to_thread(client.status, path) == successor.snapshot
    await successor.server.close()
    assert not path.exists()


async def test_second_daemon_is_refused(daemon: Daemon) -> None:
    second = Daemon(daemon.path, frozenset())
    with pytest.raises(DoorError, match="another `orillo run`"):
        await second.server.start()
    assert await asyncio.to_thread(client.status, daemon.path) == daemon.snapshot


async def test_path_that_is_too_long_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DoorError, match="shorter --root"):
        await Daemon(tmp_path / ("x" * 120), frozenset()).server.start()


async def test_pid_of_the_daemon(daemon: Daemon, tmp_path: Path) -> None:
    assert await asyncio.to_thread(client.daemon_pid, daemon.path) == os.getpid()
    assert client.daemon_pid(tmp_path / "nobody.sock") is None
