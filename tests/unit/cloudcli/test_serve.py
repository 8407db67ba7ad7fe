# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud serve` as a process of its own, with the other verbs beside it."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloud.settings import read_settings
from tests.unit.cloudcli.running import Run
from tests.unit.endpoint.operators import NODES

TREE = Path(__file__).parents[3]
DEADLINE = 20.0


def command(root: Path) -> list[str]:
    """The command line of the server."""
    return [sys.executable, "-m", "cloud.cli.main", "--root", str(root), "serve"]


@contextmanager
def serving(root: Path) -> Iterator[subprocess.Popen[str]]:
    """A server that is ready; killed at the end, if it has not ended by then."""
    with subprocess.Popen(command(root), cwd=TREE, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for_log(process, "event=serving")
            yield process
        finally:
            process.kill()


def wait_for_log(process: subprocess.Popen[str], part: str) -> str:
    """The first line of the log that has `part` in it."""
    assert process.stderr
    for line in process.stderr:
        if part in line:
            return line
    raise AssertionError(f"the server ended without {part}")


def test_verbs_go_through_the_server(operator: Run, root: Path, tmp_path: Path) -> None:
    (tmp_path / "nodes.yaml").write_text(NODES)
    with serving(root) as process:
        assert operator("apply", "-f", str(tmp_path / "nodes.yaml")).code == 0
        token = operator("token", "create", "--name", "shop1").out.splitlines()[-1]
        assert operator("get", "pods").code == 2
        assert len(json.loads(operator("get", "no", "-o", "json").out)["items"]) == 3
        process.send_signal(signal.SIGTERM)
        assert process.stderr
        log = process.stderr.read()
        assert process.wait(DEADLINE) == 0
    assert "event=token-created" in log
    assert token not in log
    assert len(json.loads(operator("get", "no", "-o", "json").out)["items"]) == 3  # now without it


def test_it_ends_within_two_seconds(operator: Run, root: Path) -> None:
    assert operator("device", "list").code == 0
    for number in (signal.SIGTERM, signal.SIGINT):
        with serving(root) as process:
            before = time.monotonic()
            process.send_signal(number)
            assert process.wait(DEADLINE) == 0
            assert time.monotonic() - before < 2
        assert not (root / "run/orillo-cloud/admin.sock").exists()


def test_killed_server_leaves_nothing_in_the_way(operator: Run, root: Path) -> None:
    with serving(root) as process:
        process.kill()
    assert operator("device", "list").code == 0
    with serving(root):
        assert operator("device", "list").code == 0


def test_port_in_use(operator: Run, root: Path) -> None:
    assert operator("device", "list").code == 0
    port = read_settings(root / "etc/orillo/cloud.toml").control_port
    with socket.create_server(("127.0.0.1", port)):
        done = subprocess.run(command(root), cwd=TREE, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert f"port {port}: another program has it. Stop that one, or change control_port" in done.stderr
    assert "Traceback" not in done.stderr


def test_kubernetes_needs_credentials(operator: Run, tmp_path: Path) -> None:
    """Before it listens for anyone."""
    (tmp_path / "config").write_text("current-context: prod\n")
    wrong = operator("serve", "--kubernetes", "--kubeconfig", str(tmp_path / "config"))
    assert wrong.code == 3
    assert "kubectl config use-context" in wrong.err
    assert operator("serve", "--kubeconfig", "x").code == 2
