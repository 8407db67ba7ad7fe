# SPDX-License-Identifier: Apache-2.0
"""The lab removes what it made, all of it and nothing else, however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.lab.command import run
from tests.lab.conftest import small_topology
from tests.lab.namespaces import CHECKOUT, Namespaces, read_record, remove_left_over
from tests.lab.process import Process, environment, is_running
from tests.lab.topology import NatKind
from tests.lab.wait import until

pytestmark = pytest.mark.lab


def traces(prefix: str) -> list[str]:
    """Namespaces and resolv.confs of a run."""
    return [str(path) for place in ("/run/netns", "/etc/netns") for path in Path(place).glob(f"{prefix}-*")]


def test_nothing_is_left(namespaces: Namespaces) -> None:
    """Namespaces, relays, and processes in namespaces, also those that nobody remembers."""
    topology, _ = small_topology(NatKind.MASQUERADE, NatKind.NONE)
    namespaces.build(topology)
    forgotten = Process(("sleep", "600"), namespaces.workdir / "sleep.log", ns=namespaces.name("site0"))
    relays = [relay.pid for relay in namespaces.relays.values()]
    assert traces(namespaces.prefix)
    assert all(is_running(pid) for pid in relays)
    namespaces.remove()
    assert not traces(namespaces.prefix)
    assert not any(is_running(pid) for pid in (forgotten.pid, *relays))


def test_neighbours_stay(namespaces: Namespaces) -> None:
    """Two runs at once: removing one leaves the other."""
    namespaces.build(small_topology(NatKind.NONE)[0])
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        other = Namespaces(Path(directory))
        other.build(small_topology(NatKind.NONE)[0])
        assert other.prefix != namespaces.prefix
        other.remove()
        assert not traces(other.prefix)
    run("ip", "-n", namespaces.name("site0"), "link", "show", "uplink")


def test_run_that_was_killed_is_found_by_its_record(tmp_path: Path) -> None:
    """Its process gone, the record on disk says what to remove; a living run's is left alone."""
    living, dead = Namespaces(tmp_path / "run-a"), Namespaces(tmp_path / "run-b")
    dead.add("host")
    living.add("host")
    try:
        record = tmp_path / "run-b/lab.json"
        record.write_text(record.read_text().replace(str(os.getpid()), str(_ended_pid())))
        assert remove_left_over(tmp_path, "run-*") == [tmp_path / "run-b"]
        assert not traces(dead.prefix)
        assert traces(living.prefix)
    finally:
        living.remove()
        dead.remove()


def test_another_checkouts_kept_lab_is_left_alone(tmp_path: Path) -> None:
    """Its process is gone as well, but somebody looks around in it."""
    theirs = Namespaces(tmp_path / "run-a")
    theirs.add("host")
    try:
        record = tmp_path / "run-a/lab.json"
        text = record.read_text().replace(str(os.getpid()), str(_ended_pid()))
        record.write_text(text.replace(CHECKOUT, "/elsewhere"))
        assert remove_left_over(tmp_path, "run-*") == []
        assert traces(theirs.prefix)
        assert remove_left_over(tmp_path, "run-a", "/elsewhere") == [tmp_path / "run-a"]
        assert not traces(theirs.prefix)
    finally:
        theirs.remove()


def _ended_pid() -> int:
    with subprocess.Popen(("true",)) as process:
        process.wait()
    return process.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_demo_leaves_nothing(number: signal.Signals) -> None:
    """A signal in the middle of the work: the demo ends as asked and cleans up."""
    command = (sys.executable, "-m", "tests.lab.demo", "--only", "enrolled")
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        # A temporary directory of its own, so that another demo on this machine is not taken for it.
        demo = Process(command, Path(directory) / "log", env=environment() | {"TMPDIR": directory})
        demo.wait_for("enrolment and start", 30)
        (workdir,) = Path(directory).glob("orillo-demo-*")
        record = read_record(workdir)
        assert record is not None
        os.kill(demo.pid, number)
        until(lambda: not demo.alive, "the demo ends", 40)
        assert demo.code == 3, demo.output()
        assert not workdir.exists()
    assert not traces(record.prefix)
