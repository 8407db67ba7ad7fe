# SPDX-License-Identifier: Apache-2.0
"""The judge of a system on trial, beside a RAUC and an agent that say what they are told to."""

import os
from pathlib import Path

import pytest

from appliance.cli import daemon_good
from appliance.cli.errors import Exit
from appliance.host import trial
from appliance.netcore.errors import DoorError
from appliance.paths import Paths
from appliance.trial import Patience, Sign
from appliance.update.agent import Look

_ALL = frozenset(Sign)


class _Agent:
    """Under which always the same works."""

    working = _ALL

    def __init__(self, _paths: Paths) -> None:
        pass

    def look(self) -> Look:
        return Look("package", self.working)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A device in the second start of system b, which is on trial."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(daemon_good, "booted_slot", lambda: "b")
    monkeypatch.setattr(daemon_good, "_PATIENCE", Patience(within=0.05, settle=0.02))
    monkeypatch.setattr(daemon_good, "_EVERY", 0.01)
    monkeypatch.setattr(daemon_good, "Agent", _Agent)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    paths = Paths(tmp_path / "device")
    entries = paths.esp / "loader/entries"
    entries.mkdir(parents=True)
    (entries / "orillo-b+1-2.conf").write_text("title Orillo (b)\nversion 2\nlinux /b/vmlinuz\n")
    trial.begin(paths, "b", _ALL)
    return paths


def programs(tmp_path: Path, rauc: str) -> None:
    """`rauc` as a script; what it and systemctl were told is in `told`."""
    for name, body in (("rauc", rauc), ("systemctl", "")):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/told\n{body}\n')
        program.chmod(0o755)


def told(tmp_path: Path) -> list[str]:
    return (tmp_path / "told").read_text().splitlines()


def test_a_system_that_works_as_the_one_before_stays(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs(tmp_path, "")
    assert daemon_good.run(paths) == Exit.OK
    assert told(tmp_path) == ["rauc status mark-good booted"]
    assert trial.begun(paths) == {Sign.AGENT}
    said = capsys.readouterr().out
    assert "before the update worked: agent, control endpoint, hub, plan in force" in said
    assert "system b works as the one before did, and stays" in said


def test_a_system_that_costs_the_hub_goes(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_Agent, "working", _ALL - {Sign.HUB})
    programs(tmp_path, "")
    assert daemon_good.run(paths) == Exit.FAULT
    assert told(tmp_path) == ["rauc status mark-bad booted", "systemctl reboot"]
    assert "system b costs this device the hub" in capsys.readouterr().out


def test_what_worked_is_known_until_the_verdict_is_noted(paths: Paths, tmp_path: Path) -> None:
    """RAUC was killed for taking too long, and at the next start nothing but an agent was expected."""
    programs(tmp_path, "exit 1")
    with pytest.raises(DoorError, match="rauc"):
        daemon_good.run(paths)
    assert trial.begun(paths) == _ALL


def test_a_system_that_is_not_on_trial_is_not_judged(paths: Paths, tmp_path: Path) -> None:
    entries = paths.esp / "loader/entries"
    (entries / "orillo-b+1-2.conf").rename(entries / "orillo-b.conf")
    programs(tmp_path, "")
    assert daemon_good.run(paths) == Exit.OK
    assert not (tmp_path / "told").exists()
