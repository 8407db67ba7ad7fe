# SPDX-License-Identifier: Apache-2.0
"""The command `orillo-cloud`, run below a root of its own."""

import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """What a command line came to."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture(name="root")
def short_root() -> Iterator[Path]:
    """A folder with a short name: a unix socket's path holds 107 bytes (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="or-cloud-") as folder:
        yield Path(folder)


@pytest.fixture(name="run")
def runner(root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line below the root."""

    def run(*words: str) -> Outcome:
        try:
            code = main(["--root", str(root), *words])
        except SystemExit as end:  # argparse ends so, on usage errors and after --help
            code = int(end.code or 0)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Outcome(code, said.out, said.err)

    return run


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody has at present."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@pytest.fixture(name="operator")
def made_operator(run: Run) -> Run:
    """The same, with an operator made."""
    control, enrolment = free_ports(2)
    ports = ("--control-port", str(control), "--enroll-port", str(enrolment))
    assert run("init", "--cluster", "lab", "--address", "127.0.0.1,cloud.example", *ports).code == 0
    return run
