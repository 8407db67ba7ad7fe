# SPDX-License-Identifier: Apache-2.0
"""What the command says and how it ends: one line on standard error, the right code, never a traceback."""

import asyncio
import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from msgspec.structs import replace

from appliance.cli import enroll
from appliance.cli import main as guard
from appliance.cli.arguments import parser
from appliance.cli.main import main
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.token import Token
from appliance.paths import Paths
from appliance.status import client
from appliance.status.model import Control, Snapshot, Tunnel
from appliance.status.server import Offered, StatusServer
from appliance.sync.identity import DeviceIdentity
from tests.unit.status.snapshots import healthy, unenrolled
from tests.unit.sync.devices import enrolled

Capture = pytest.CaptureFixture[str]


def call(root: Path, *words: str) -> int:
    """Run the command below `root`; what argparse exits with is a code too."""
    try:
        return main(["--root", str(root), *words])
    except SystemExit as end:
        return int(end.code or 0)


def one_line(capture: Capture) -> str:
    """The one line on standard error, and nothing on standard output."""
    out, err = capture.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("orillo: ")
    return line


def test_the_daemons_own_line_is_read_as_the_parser_reads_it() -> None:
    for words in (["run"], ["--root", "/x", "run"]):
        read, parsed = guard._options(words), parser().parse_args(words)
        assert (read.verb, read.root) == (parsed.verb, parsed.root)


@contextmanager
def daemon(root: Path, snapshot: Snapshot) -> Iterator[list[str]]:
    """A status socket below `root`, served from another thread; the commands it was given."""
    commands: list[str] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async def reload(request: object) -> dict[str, str]:
            commands.append("reload")
            return {}

        server = StatusServer(
            Paths(root).status_socket, lambda: snapshot, Offered({"reload": reload}), frozenset({os.getuid()})
        )
        await server.start()
        ready.set()
        await asyncio.to_thread(over.wait)
        await server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield commands
    finally:
        over.set()
        thread.join(10)


def test_version(tmp_path: Path, capsys: Capture) -> None:
    assert call(tmp_path, "version") == 0
    assert capsys.readouterr().out.startswith("orillo 0.")


def test_version_as_json(tmp_path: Path, capsys: Capture) -> None:
    assert call(tmp_path, "version", "-o", "json") == 0
    assert "version" in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "words", [(), ("nonsense",), ("enroll",), ("daemon", "nginx"), ("status", "-o", "xml")]
)
def test_wrong_usage_is_2(tmp_path: Path, capsys: Capture, words: tuple[str, ...]) -> None:
    assert call(tmp_path, *words) == 2
    assert "usage: orillo" in capsys.readouterr().err


def test_help_names_the_exit_codes(tmp_path: Path, capsys: Capture) -> None:
    assert call(tmp_path, "--help") == 0
    assert "4 degraded" in capsys.readouterr().out


def test_status_without_a_daemon_is_3(tmp_path: Path, capsys: Capture) -> None:
    assert call(tmp_path, "status") == 3
    assert "start it with `orillo run`" in one_line(capsys)


DEGRADED = replace(healthy(), control=Control(error="no way there"))
FAULT = replace(healthy(), tunnels={"connector-1": Tunnel(up=False)})


@pytest.mark.parametrize(
    ("snapshot", "code", "word"),
    [
        (healthy(), 0, "healthy"),
        (DEGRADED, 4, "degraded"),
        (FAULT, 1, "fault"),
        (unenrolled(), 4, "orillo enroll"),
    ],
    ids=["healthy", "degraded", "fault", "unenrolled"],
)
def test_status_is_a_verdict(
    tmp_path: Path, capsys: Capture, snapshot: Snapshot, code: int, word: str
) -> None:
    with daemon(tmp_path, snapshot):
        assert call(tmp_path, "status") == code
    out = capsys.readouterr().out
    assert word in out
    assert max(map(len, out.splitlines())) <= 80


def test_status_shows_what_matters(tmp_path: Path, capsys: Capture) -> None:
    with daemon(tmp_path, healthy()):
        call(tmp_path, "status")
    out = capsys.readouterr().out
    for word in ("shop1 (edge) in lab", "generation 12", "connector-1 *", "12.3 ms", "1.2 MB", "node", "1/2"):
        assert word in out


def test_status_as_json_is_the_snapshot_with_the_verdict(tmp_path: Path, capsys: Capture) -> None:
    with daemon(tmp_path, DEGRADED):
        assert call(tmp_path, "status", "-o", "json") == 4
    answer = json.loads(capsys.readouterr().out)
    assert answer["health"] == "degraded"
    assert answer["conditions"][0]["code"] == "control-offline"
    assert answer["tunnels"]["connector-1"]["chosen"] is True


@pytest.mark.parametrize("token", ["nonsense", "orillo1.AAAA", "orillo1.%%%", ""])
def test_text_that_is_no_token_is_2(tmp_path: Path, capsys: Capture, token: str) -> None:
    assert call(tmp_path, "enroll", token) == 2
    assert "token" in one_line(capsys)
    assert list(tmp_path.iterdir()) == []


def test_token_from_standard_input(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://127.0.0.1:1"
    token = Token("t", "hush", url, url, "0" * 64).to_text()
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert call(tmp_path, "enroll", "-") == 2
    one_line(capsys)
    assert call(tmp_path, "enroll", token) == 3
    assert "127.0.0.1:1 refuses connections" in one_line(capsys)


def test_enrolled_beside_a_daemon_that_can_not_be_told(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def enrolment(paths: Paths, _: Token, _name: str) -> DeviceIdentity:
        return enrolled(paths)

    def silent(*_: object) -> NoReturn:
        raise DoorError("it did not answer within 5 s")

    monkeypatch.setattr(enroll, "enroll", enrolment)
    monkeypatch.setattr(client, "command", silent)
    url = "https://127.0.0.1:1"
    assert call(tmp_path, "enroll", Token("t", "hush", url, url, "0" * 64).to_text()) == 4
    line = one_line(capsys)
    assert "enrolled as shop1, but" in line
    assert "did not answer within 5 s): restart it" in line


@pytest.mark.parametrize("words", [("run",), ("purge",), ("daemon", "charon"), ("daemon", "dns")])
def test_without_root_is_3(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert call(tmp_path, *words) == 3
    assert f"`orillo {' '.join(words)}` needs root: run it with sudo" in one_line(capsys)


def test_bad_settings_are_3(tmp_path: Path, capsys: Capture) -> None:
    settings = Paths(tmp_path).settings
    settings.parent.mkdir(parents=True)
    settings.write_text("[log]\ncolour = true\n")
    assert call(tmp_path, "run") == 3
    assert f"{settings}: unknown key log.colour" in one_line(capsys)


def test_purge_refuses_while_the_daemon_runs(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with daemon(tmp_path, healthy()):
        assert call(tmp_path, "purge") == 3
    assert f"is alive (pid {os.getpid()})" in one_line(capsys)


def raising(error: Exception) -> Callable[..., int]:
    def run(*_: object) -> int:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DoorError("nft is not there:\n install it"), "orillo: nft is not there: install it"),
        (PermissionError(13, "Permission denied", "/etc/x"), "orillo: /etc/x: Permission denied"),
        (ExceptionGroup("tasks", [DoorError("the task's own words")]), "orillo: the task's own words"),
        (ZeroDivisionError("oops"), "orillo: internal error, please report it: ZeroDivisionError: oops (at "),
    ],
)
def test_whatever_goes_wrong_is_one_line(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    monkeypatch.setattr(guard, "_run", raising(error))
    assert call(tmp_path, "status") == 3
    assert one_line(capsys).startswith(words)


def test_interrupt_is_no_fault(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(guard, "_run", interrupted)
    assert call(tmp_path, "run") == 0
    assert capsys.readouterr().err == ""
