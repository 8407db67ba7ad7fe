# SPDX-License-Identifier: Apache-2.0
"""What who tries a release sees of an agent at its status socket."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from time import monotonic

import pytest

from appliance.paths import Paths
from appliance.trial import Sign
from appliance.update import agent
from appliance.update.agent import Agent

_WELL = {
    "state": "running",
    "hub": "hub-1",
    "control": {"connected": True},
    "tunnels": {"hub-1": {"up": True}},
}
_ALL = {Sign.AGENT, Sign.PLAN, Sign.CONTROL, Sign.HUB}


@pytest.fixture
def paths() -> Iterator[Paths]:
    """A root of a short path, as sockets need."""
    with TemporaryDirectory(prefix="orillo-") as folder:
        paths = Paths(Path(folder))
        paths.run.mkdir(parents=True)
        yield paths


@pytest.fixture
def busy(paths: Paths) -> Iterator[Callable[[int], list[str]]]:
    """Listens as an agent that does not answer the first so many questions; returns what it was asked."""
    asked: list[str] = []
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))

        def serve(silent: int) -> None:
            with suppress(OSError):
                while True:
                    connection = stack.enter_context(listening.accept()[0])
                    # Who only asks whose socket it is says nothing.
                    if line := stack.enter_context(connection.makefile("rb")).readline():
                        asked.append(json.loads(line)["op"])
                        if len(asked) > silent:
                            connection.sendall(json.dumps({"ok": True, "status": _WELL}).encode() + b"\n")

        def start(silent: int) -> list[str]:
            listening.bind(str(paths.status_socket))
            listening.listen()
            server = Thread(target=serve, args=(silent,))
            server.start()
            stack.callback(server.join)
            stack.callback(listening.shutdown, socket.SHUT_RDWR)
            return asked

        yield start


def test_one_that_is_too_busy_to_answer_is_asked_again(
    paths: Paths, busy: Callable[[int], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a loaded gateway one look came to nothing, and the next system had only to start."""
    monkeypatch.setattr(agent, "_PATIENCE", 0.05)
    asked = busy(2)
    assert Agent(paths).what_works() == _ALL
    assert asked == ["status"] * 3


def test_one_that_never_answers_holds_nobody_up_for_ever(
    paths: Paths, busy: Callable[[int], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "_PATIENCE", 0.05)
    asked = busy(100)
    assert Agent(paths).what_works() == frozenset()
    assert len(asked) == agent._TRIES


def test_one_that_does_not_run_is_not_waited_for(paths: Paths) -> None:
    began = monotonic()
    assert Agent(paths).what_works() == frozenset()
    assert monotonic() - began < 1
