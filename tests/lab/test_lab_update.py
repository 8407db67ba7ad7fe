# SPDX-License-Identifier: Apache-2.0
"""Self-update on a device that runs: what is good stays, what is not is undone, what is wrong is refused."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from appliance.built import architecture
from tests.bench.box import Box, make_box
from tests.lab.command import Result
from tests.lab.device import Daemon
from tests.lab.namespaces import Namespaces
from tests.lab.process import SOURCE, Process
from tests.lab.wait import until
from tests.unit.update.launcher import install
from tests.unit.update.made import KEY, STRANGER, release_bytes, trust

pytestmark = pytest.mark.lab

#: As the compiled program is called; the real daemon, from the source tree.
_REAL = f'cd / && PYTHONPATH="{SOURCE}" exec "{sys.executable}" -m appliance.cli.main "$@"'
#: As systemd does: whatever ends is started again, and an agent that is ready is said to be.
_SUPERVISOR = """
trap 'kill $! 2>/dev/null; exit 0' TERM
while :; do "$0" --root "$1" run & wait $!; sleep 0.2; done
"""
_ARCHITECTURE = architecture()


def program(version: str, run: str = _REAL) -> bytes:
    """A release whose `run` is this, and all else real."""
    return f"""#!/bin/sh
for word in "$@"; do
  case $word in
    version) echo "orillo {version}"; exit 0 ;;
    run) {run} ;;
  esac
done
{_REAL}
""".encode()


CRASHES = "echo crashed >&2; exit 1"


@dataclass
class Gateway:
    """A device whose agent is started by the launcher, under a supervisor."""

    box: Box
    supervisor: Process

    @property
    def root(self) -> Path:
        return self.box.device.root

    def update(self, *words: str) -> Result:
        return self.box.device.call("update", *words, timeout=90)

    def release(self, version: str, run: str = _REAL, **fields: Any) -> Path:
        file = self.root / f"{version}.release"
        files: Mapping[str, bytes | str] = {"orillo": program(version, run)}
        file.write_bytes(release_bytes(version, files, architecture=_ARCHITECTURE, **fields))
        return file

    def running(self) -> str:
        """The release that the agent is of, which serves the status socket."""
        shown = self.update("-o", "json")
        return str(json.loads(shown.out)["running"]) if shown.ok else shown.text

    def connected(self) -> bool:
        status = self.box.device.status()
        return status.get("state") == "running" and bool(status["control"]["connected"])


@pytest.fixture
def gateway(namespaces: Namespaces) -> Iterator[Gateway]:
    root = namespaces.workdir / "box/device"
    launcher = install(root, program("0.1.0"))
    box = make_box(namespaces, "box", (str(launcher),), 1)
    (root / "etc/orillo").mkdir(parents=True, exist_ok=True)
    (root / "etc/orillo/orillo.toml").write_text("[update]\nconfirm_within = 10\n")
    trust(root / "etc/orillo/release-keys", KEY)
    box.device.start(Daemon.CHARON)
    command = ("sh", "-c", _SUPERVISOR, str(launcher), str(root))
    supervisor = Process(command, namespaces.workdir / "agent.log", ns=box.device.ns)
    gateway = Gateway(box, supervisor)
    until(gateway.connected, "the plan is in force", 60, 0.3, supervisor.output)
    yield gateway
    supervisor.stop()


def test_update_is_kept_undone_or_refused(gateway: Gateway) -> None:
    assert gateway.running() == "package"
    charon = (gateway.box.device.run_directory / "charon.pid").read_text()

    kept = gateway.update(str(gateway.release("0.2.0")))
    assert (kept.code, kept.out.strip()) == (0, "release 0.2.0 runs"), kept.text
    assert gateway.running() == "0.2.0"
    assert gateway.connected()

    crashed = gateway.update(str(gateway.release("0.3.0", CRASHES)))
    assert crashed.code == 1, crashed.text
    assert "it ended 3 times before it had proved itself" in crashed.out
    until(lambda: gateway.running() == "0.2.0", "the one before runs again", 20)

    agent = (gateway.box.device.run_directory / "agent.pid").read_text()
    for words, reason in (
        ((str(gateway.release("0.1.9")),), "older than 0.2.0"),
        ((str(gateway.release("0.4.0", key=STRANGER)),), "does not trust"),
        ((str(gateway.release("0.4.1", key=None)),), "not signed"),
        ((str(gateway.release("0.4.2", archive={"sha256": "0" * 64, "size": 9, "unpacked": 9})),), "digest"),
        ((str(gateway.root / "nothing"),), "there is no file"),
        (("http://127.0.0.1:1/orillo.release",), "can't be fetched"),
    ):
        refused = gateway.update(*words)
        assert (refused.code, reason in refused.err) == (3, True), refused.text
    other = gateway.release("0.4.3")
    whole = other.read_bytes()
    other.write_bytes(whole[: whole.index(b"\xfd7zXZ") + 100])
    assert gateway.update(str(other)).code == 3
    assert (gateway.box.device.run_directory / "agent.pid").read_text() == agent
    assert gateway.running() == "0.2.0"
    assert (gateway.box.device.run_directory / "charon.pid").read_text() == charon


def test_release_that_costs_the_plan_is_undone_though_its_judge_was_killed(
    gateway: Gateway, namespaces: Namespaces
) -> None:
    # It answers where the one before did, and knows neither plan nor control endpoint.
    forgets = f"mv {gateway.root}/var/lib/orillo/identity {gateway.root}/hidden; {_REAL}"
    installed = gateway.box.device.installation
    command = installed.command("update", str(gateway.release("0.3.0", forgets)))
    judge = Process(command, namespaces.workdir / "judge.log", ns=installed.ns)
    trial = gateway.root / "var/lib/orillo/releases/trial"
    until(trial.is_symlink, "the trial has begun", 30)
    judge.kill()
    # As the unit does at once, and after a reboot.
    resumed = gateway.update("--resume")
    assert (gateway.root / "hidden").is_symlink()
    assert resumed.code == 1, resumed.text
    assert "it cost this device" in resumed.out
    until(lambda: gateway.running() == "package", "the package's own runs again", 20)
