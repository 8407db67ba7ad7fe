# SPDX-License-Identifier: Apache-2.0
"""`orillo daemon …` and `orillo purge` with the real programs, in a namespace of the test's own."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.cli import daemons
from appliance.netcore.plan.model import Cni
from appliance.paths import Paths
from appliance.sync.store import PlanStore
from tests.contract.namespace import ip, own_namespace
from tests.lab.wait import until
from tests.unit.plan.plans import SHOP1
from tests.unit.sync.devices import document, enrolled, plan_keys

pytestmark = pytest.mark.lab


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    with own_namespace():
        yield Paths(tmp_path)


def argv(paths: Paths, *words: str) -> list[str]:
    return [sys.executable, "-m", "appliance.cli.main", "--root", str(paths.root), *words]


def orillo(paths: Paths, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv(paths, *words), capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def daemon(paths: Paths, which: str) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon, started as systemd would; killed at the end, whatever became of it."""
    with (paths.root / f"{which}.log").open("ab") as log:
        process = subprocess.Popen(argv(paths, "daemon", which), stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def said(paths: Paths, which: str) -> str:
    return (paths.root / f"{which}.log").read_text()


def hold_plan(paths: Paths) -> None:
    """Be shop1, with a plan on disk."""
    enrolled(paths)
    PlanStore(paths.plans, plan_keys(), SHOP1).put(document(3, cni=Cni()), None)


def charon_is_up(paths: Paths, process: subprocess.Popen[bytes]) -> None:
    until(
        lambda: daemons.charon(paths) == process.pid and paths.vici_socket.is_socket(),
        "charon has its pid file and socket in our run directory",
        10,
        0.02,
        lambda: said(paths, "charon"),
    )


def unbound_is_up(paths: Paths, process: subprocess.Popen[bytes]) -> None:
    until(
        lambda: daemons.unbound(paths) == process.pid and paths.unbound_control.is_socket(),
        "unbound has its pid file and socket in our run directory",
        10,
        0.02,
        lambda: said(paths, "dns"),
    )


def test_agent_without_identity_serves_its_status_and_ends_quietly(paths: Paths) -> None:
    with (paths.root / "run.log").open("ab") as log:
        agent = subprocess.Popen(argv(paths, "run"), stdout=log, stderr=log)
    try:
        until(paths.status_socket.is_socket, "it serves", 10, 0.02, lambda: said(paths, "run"))
        shown = orillo(paths, "status", "-o", "json")
        assert (shown.returncode, json.loads(shown.stdout)["state"]) == (4, "unenrolled")
        second = orillo(paths, "run")
        assert (second.returncode, "another `orillo run`" in second.stderr) == (3, True)
        refused = orillo(paths, "purge")
        assert (refused.returncode, f"kill {agent.pid}" in refused.stderr) == (3, True)
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(10) == 0
    finally:
        agent.kill()
        agent.wait(10)
    assert "Traceback" not in said(paths, "run")
    assert not paths.status_socket.exists()


@contextmanager
def agent(paths: Paths) -> Iterator[subprocess.Popen[bytes]]:
    """`orillo run` that serves its status."""
    with (paths.root / "run.log").open("ab") as log:
        process = subprocess.Popen(argv(paths, "run"), stdout=log, stderr=log)
    try:
        until(paths.status_socket.is_socket, "it serves", 10, 0.02, lambda: said(paths, "run"))
        yield process
        assert process.poll() is None, said(paths, "run")
        assert "Traceback" not in said(paths, "run")
    finally:
        process.kill()
        process.wait(10)


def test_agent_with_a_damaged_identity_says_so_and_waits_to_be_enrolled(paths: Paths) -> None:
    enrolled(paths)
    (paths.identity / "trust.json").write_bytes(b"{")
    with agent(paths):
        shown = orillo(paths, "status", "-o", "json")
        (damaged,) = (c for c in json.loads(shown.stdout)["conditions"] if c["code"] == "identity-damaged")
        assert (shown.returncode, damaged["severity"]) == (1, "fault")
        assert "orillo enroll TOKEN" in damaged["remedy"]


def test_agent_whose_key_is_garbage_keeps_the_site_by_the_plan_on_disk(paths: Paths) -> None:
    hold_plan(paths)
    with agent(paths):
        conflist = paths.cni / "10-orillo.conflist"
        until(conflist.exists, "it passes over its tables", 10, 0.02, lambda: said(paths, "run"))
        shown = json.loads(orillo(paths, "status", "-o", "json").stdout)
        assert (shown["state"], shown["generation"]) == ("running", 3)
        assert "enrol again" in shown["control"]["error"]


def test_agent_is_ready_when_nothing_can_leave_in_clear_any_more(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container runtime that is ordered behind it starts no pod before that."""
    hold_plan(paths)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, monkeypatch.context() as unit:
        manager.bind(str(paths.root / "notify"))
        manager.settimeout(20)
        unit.setenv("NOTIFY_SOCKET", str(paths.root / "notify"))
        with agent(paths):
            while manager.recv(64) != b"READY=1":
                pass
            closed = subprocess.run(
                ["ip", "route", "show", "table", "7410", "type", "unreachable"],
                capture_output=True,
                text=True,
                check=True,
            )
            assert "10.200.0.0/16" in closed.stdout
            subprocess.run(
                ["nft", "list", "chain", "inet", "orillo", "egress"], check=True, capture_output=True
            )


def test_charon_takes_the_place_of_the_command(paths: Paths) -> None:
    with daemon(paths, "charon") as process:
        charon_is_up(paths, process)
        again = orillo(paths, "daemon", "charon")
        assert again.returncode == 3
        assert f"our charon runs already (pid {process.pid})" in again.stderr
        assert not Path("/run/charon.pid").exists()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_charon_is_not_started_where_another_has_its_port(paths: Paths, family: socket.AddressFamily) -> None:
    """It would stay up without a socket, and say so in its log alone."""
    with socket.socket(family, socket.SOCK_DGRAM) as other:
        if family is socket.AF_INET6:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind(("", 4500))
        refused = orillo(paths, "daemon", "charon")
    assert refused.returncode == 3
    assert "UDP port 4500 is taken by another program: end the host's own IKE daemon" in refused.stderr


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_unbound_is_not_started_where_another_has_its_port(paths: Paths, kind: socket.SocketKind) -> None:
    hold_plan(paths)
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("0.0.0.0", 53))
        if kind is socket.SOCK_STREAM:
            other.listen()
        refused = orillo(paths, "daemon", "dns")
    assert refused.returncode == 3
    assert "port 53 of 169.254.20.10 is taken by another program" in refused.stderr


def test_pid_file_of_another_process_does_not_stop_charon(paths: Paths) -> None:
    """As after a crash: the number is in use again, by somebody else."""
    paths.run.mkdir(parents=True)
    paths.charon_pid.write_text(f"{os.getpid()}\n")
    assert daemons.charon(paths) is None
    with daemon(paths, "charon") as process:
        charon_is_up(paths, process)


def test_two_devices_on_one_host_have_a_charon_each(paths: Paths) -> None:
    other = Paths(paths.root / "other")
    other.root.mkdir()
    with daemon(paths, "charon") as first, own_namespace(), daemon(other, "charon") as second:
        charon_is_up(paths, first)
        charon_is_up(other, second)


def test_unbound_takes_the_place_of_the_command(paths: Paths) -> None:
    hold_plan(paths)
    with daemon(paths, "dns") as process:
        unbound_is_up(paths, process)
        again = orillo(paths, "daemon", "dns")
        assert again.returncode == 3
        assert f"our unbound runs already (pid {process.pid})" in again.stderr


def test_unbound_waits_for_the_first_plan(paths: Paths) -> None:
    with daemon(paths, "dns") as process:
        until(lambda: "waiting for the first plan" in said(paths, "dns"), "it waits", 10, 0.02)
        assert daemons.unbound(paths) == process.pid
        hold_plan(paths)
        unbound_is_up(paths, process)


def test_purge_leaves_nothing_of_ours_and_all_of_others(paths: Paths) -> None:
    hold_plan(paths)
    ip("link add orillo0 type bridge")
    ip("link add br-orillo type bridge")
    ip("link add foreign0 type bridge")
    ip("addr add 10.255.0.1/32 dev orillo0")
    ip("link set orillo0 up")
    ip("link set foreign0 up")
    ip("rule add priority 7410 table 7410 protocol 174")
    ip("route add unreachable 10.200.0.0/16 table 7410 metric 4000000 proto 174")
    ip("route add 192.0.2.0/24 dev foreign0")
    subprocess.run(["nft", "add table inet orillo; add table inet foreign"], check=True)
    paths.cni.mkdir(parents=True)
    (paths.cni / "10-orillo.conflist").write_text("{}")
    (paths.cni / "05-foreign.conflist").write_text("{}")
    with daemon(paths, "charon") as charon, daemon(paths, "dns") as unbound:
        charon_is_up(paths, charon)
        unbound_is_up(paths, unbound)
        done = orillo(paths, "purge", "-o", "json")
        assert charon.wait(10) == 0
        assert unbound.wait(10) == 0
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["failed"] == []
    for word in ("process charon", "process unbound", "link orillo0", "bridge br-orillo", "nft table"):
        assert any(line.startswith(word) for line in answer["removed"]), word
    assert "orillo" not in ip("-br link")
    assert "foreign0" in ip("-br link")
    assert "7410" not in ip("rule") + ip("route show table all")
    assert "7411" not in ip("rule") + ip("-6 rule") + ip("route show table all")
    assert "192.0.2.0/24" in ip("route")
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    assert tables.split() == ["table", "inet", "foreign"]
    assert [path.name for path in paths.cni.iterdir()] == ["05-foreign.conflist"]
    assert not paths.run.exists()
    assert daemons.plan_on_disk(paths) is not None
    again = orillo(paths, "purge", "--all")
    assert again.returncode == 0
    assert not paths.state.exists()
    assert orillo(paths, "purge").stdout == "nothing of ours was there\n"
