# SPDX-License-Identifier: Apache-2.0
"""`orillo tui` as a program on a terminal: what it writes, how it ends, and what it leaves behind."""

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.paths import Paths
from appliance.tui.feed import recording
from tests.tui.pseudo import SERIAL_RATE, environment, on_terminal, tui
from tests.unit.status.snapshots import healthy
from tests.unit.tui.screens import broken

NO_TRACE = (b"Traceback", b"Error:", b'File "')


@contextmanager
def speaker(root: Path, *words: bytes) -> Iterator[Path]:
    """Something at the status socket that says these words to whoever comes, and hangs up."""
    path = Paths(root).status_socket
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=_speak, args=(listener, words))
        thread.start()
        try:
            yield path
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            path.unlink()


def _speak(listener: socket.socket, words: tuple[bytes, ...]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                connection.recv(4096)
                for word in words:
                    connection.sendall(word)
            except OSError:
                continue


def clean(output: bytes) -> bool:
    """No traceback, and the last words give the terminal back: attributes, wrapping, cursor."""
    return not any(trace in output for trace in NO_TRACE) and b"\x1b[m\x1b[?7h\x1b[?25h" in output[-60:]


@pytest.mark.parametrize("keys", ["q", "\x03", ":quit\r"])
def test_it_ends_and_gives_the_terminal_back(keys: str) -> None:
    with on_terminal(tui("--demo"), environment()) as line:
        before = line.modes()
        line.until(lambda output: b"Overview" in output)
        assert line.modes() != before
        line.type(keys)
        assert line.wait() == 0
        assert line.modes() == before
    assert clean(line.output)
    assert line.output.endswith(b"\x1b[?1049l")


def test_a_vt100_gets_nothing_that_it_would_print() -> None:
    with on_terminal(tui("--demo"), environment("vt100", "C")) as line:
        line.until(lambda output: b"Support" in output)
        line.type("28?\x1b[A\x1bOBq")
        assert line.wait() == 0
    assert line.output.isascii()
    assert clean(line.output)
    for sequence in (b"?1049", b"?2004", b"?1004", b"?100", b"[>", b"$p", b"\x1b]", b";5;"):
        assert sequence not in line.output, sequence
    assert re.search(rb"\x1b\[[349]\dm", line.output) is None


def test_sizes_from_tiny_to_large_in_flight(tmp_path: Path) -> None:
    with (
        speaker(tmp_path, recording(healthy()), recording(broken())) as _,
        on_terminal(tui(root=tmp_path), environment(), (20, 5)) as line,
    ):
        line.until(lambda output: b"HEALTHY" in output or b"FAULT" in output or b"NO " in output)
        for columns, rows in ((1, 1), (200, 60), (20, 5), (300, 3), (80, 24)):
            line.resize(columns, rows)
            line.type("28j")
            line.for_seconds(0.3)
        line.until(lambda output: b"9Enrol" in output or b"Enrol" in output)
        line.type("q")
        assert line.wait() == 0
    assert clean(line.output)


@pytest.mark.parametrize(
    "words",
    [
        (b"\x00\xff\xfe garbage \x1b[31m\n",),
        (b'{"ok": true, "status": {"at": 5}}\n',),
        (b'{"ok": true}\n', b"[]\n"),
        (b'{"ok": true, "status":',),
        (b'{"ok": false, "error": "\\u001b[2Jno"}\n',),
        (),
    ],
)
def test_garbage_on_the_socket(tmp_path: Path, words: tuple[bytes, ...]) -> None:
    with speaker(tmp_path, *words), on_terminal(tui(root=tmp_path), environment()) as line:
        line.until(lambda output: b"NO ANSWER" in output and b"asking the daemon" not in output[-900:])
        line.type("1234567890-?lq")
        assert line.wait() == 0
    assert clean(line.output)
    assert b"\x1b[31m" not in line.output


def test_a_daemon_that_starts_later(tmp_path: Path) -> None:
    with on_terminal(tui(root=tmp_path), environment()) as line:
        line.until(lambda output: b"the daemon does not run" in output)
        with speaker(tmp_path, recording(healthy())):
            line.until(lambda output: b"HEALTHY" in output)
            line.until(lambda output: b"NO NEWS SINCE" in output)
        line.type("q")
        assert line.wait() == 0
    assert clean(line.output)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_cleanly(number: signal.Signals) -> None:
    with on_terminal(tui("--demo"), environment()) as line:
        line.until(lambda output: b"Overview" in output)
        os.kill(line.pid, number)
        assert line.wait() == 0
    assert clean(line.output)


def test_a_closed_terminal_ends_it() -> None:
    with on_terminal(tui("--demo"), environment()) as line:
        line.until(lambda output: b"Overview" in output)
        os.close(line.master)
        _, status = os.waitpid(line.pid, 0)
        line.code = os.waitstatus_to_exitcode(status)
    assert line.code in (0, -signal.SIGHUP)


def test_what_is_no_recording_is_said_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("{}\n")
    for option in (file, tmp_path / "missing"):
        with on_terminal(tui("--replay", str(option)), environment()) as line:
            assert line.wait() == 3
        assert line.output.count(b"\n") == 1
        assert line.output.startswith(b"orillo: ")


def test_a_dumb_terminal_is_told_of_status() -> None:
    with on_terminal(tui("--demo"), environment("dumb")) as line:
        assert line.wait() == 2
    assert b"orillo status" in line.output


@pytest.mark.parametrize(("options", "most"), [((), 4), (("--frames", "2"), 2)])
def test_no_more_frames_a_second_than_chosen(options: tuple[str, ...], most: int) -> None:
    """Keys come faster than that, and each changes the prompt."""
    with on_terminal(tui("--demo", *options), environment("vt220", "C")) as line:
        line.until(lambda output: b"Support" in output)
        line.for_seconds(1.0)
        line.type("/")
        before = len(line.output)
        for _ in range(80):
            line.type("z")
            line.for_seconds(0.025)
        seconds = line.pieces[-1][0] - next(at for at, piece in line.pieces if b"z" in piece)
        painted = set(re.findall(rb"/(z+)", line.output[before:]))
        assert 1 < len(painted) <= most * (seconds + 1) + 1
        line.type("\x03")
        assert line.wait() == 0
    assert clean(line.output)


def test_a_daemon_that_takes_its_time(tmp_path: Path) -> None:
    """It takes connections and says nothing: the keys work, and the screen says why it is empty."""
    path = Paths(tmp_path).status_socket
    path.parent.mkdir(parents=True)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
        on_terminal(tui(root=tmp_path), environment()) as line,
    ):
        listener.bind(str(path))
        listener.listen()
        line.until(lambda output: b"NO ANSWER" in output)
        line.type("5678-")
        line.until(lambda output: b"does not answer within" in output)
        line.type("q")
        assert line.wait() == 0
    assert clean(line.output)


def test_a_daemon_of_another_version_that_knows_no_looks(tmp_path: Path) -> None:
    """It answers everything with its status; the screens that ask for more say that they can't."""
    with (
        speaker(tmp_path, recording(healthy())),
        on_terminal(tui(root=tmp_path), environment(), (120, 40)) as line,
    ):
        line.until(lambda output: b"connector-1" in output)
        for key in "2567-0":
            line.type(key)
            line.for_seconds(0.4)
        line.type("q")
        assert line.wait() == 0
    assert clean(line.output)


def test_a_slow_line_has_room_to_spare() -> None:
    """The budget of `./dev bench screen`, which also has the time."""
    with on_terminal(tui("--demo"), environment("vt220", "C"), rate=SERIAL_RATE) as line:
        line.until(lambda output: b"Support" in output)
        line.for_seconds(0.5)
        assert len(line.output) <= 6000
        assert line.for_seconds(3.0) <= 1500
        line.type("q")
        assert line.wait() == 0
