# SPDX-License-Identifier: Apache-2.0
"""A factory reset: what is left of the data partition, also when the power is cut in the middle."""

import os
import shutil
from pathlib import Path

import pytest

from appliance.cli import daemon_reset, reset
from appliance.cli.daemon_reset import EVERYTHING, KEEP_IDENTITY
from appliance.cli.errors import CliError
from appliance.paths import Paths


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A device that has lived: an identity, settings, a log."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    paths = Paths(tmp_path)
    (tmp_path / "usr/share/factory/var/lib/empty").mkdir(parents=True)
    (tmp_path / "usr/share/factory/var/log").mkdir()
    for file in ("lib/orillo/identity/key.pem", "lib/orillo-host/host.json", "log/journal/old", "lib/dhcp/x"):
        (tmp_path / "var" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "var" / file).write_text(file)
    return paths


def left(paths: Paths) -> set[str]:
    """The files below /var."""
    var = paths.root / "var"
    return {str(path.relative_to(var)) for path in var.rglob("*") if path.is_file()}


def test_what_is_asked_for_is_written_down_for_the_next_start(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reset, "booted_slot", lambda: "a")
    assert reset.run(paths, keep_identity=True, restart=False) == 0
    assert (paths.host_state / "reset").read_text() == KEEP_IDENTITY
    assert reset.run(paths, keep_identity=False, restart=False) == 0
    assert (paths.host_state / "reset").read_text() == EVERYTHING


@pytest.mark.parametrize(
    ("kind", "kept"),
    [
        ("", {"lib/orillo/identity/key.pem", "lib/orillo-host/host.json", "log/journal/old", "lib/dhcp/x"}),
        (KEEP_IDENTITY, {"lib/orillo/identity/key.pem", "lib/orillo-host/host.json"}),
        (EVERYTHING, set()),
    ],
)
def test_what_is_left(paths: Paths, kind: str, kept: set[str]) -> None:
    if kind:
        (paths.host_state / "reset").write_text(kind)
    daemon_reset.run(paths)
    assert left(paths) == kept
    assert (paths.root / "var/lib/empty").is_dir() == bool(kind)


def test_a_power_cut_in_the_middle_leaves_the_rest_to_the_next_start(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a device would be half forgotten: enrolled, say, without its settings."""
    (paths.host_state / "reset").write_text(EVERYTHING)
    remove = shutil.rmtree

    def cut(path: Path) -> None:
        if (path / "identity").exists():
            raise KeyboardInterrupt
        remove(path)

    with monkeypatch.context() as power:
        power.setattr(shutil, "rmtree", cut)
        with pytest.raises(KeyboardInterrupt):
            daemon_reset.run(paths)
    assert (paths.host_state / "reset").exists()
    daemon_reset.run(paths)
    assert left(paths) == set()


def test_what_could_not_be_removed_is_told_and_tried_again(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that stayed behind is not called forgotten."""
    (paths.host_state / "reset").write_text(EVERYTHING)

    def damaged(path: Path) -> None:
        raise OSError(5, "Input/output error", str(path))

    with monkeypatch.context() as card:
        card.setattr(shutil, "rmtree", damaged)
        with pytest.raises(CliError, match=r"not done: .*Input/output error.*next start"):
            daemon_reset.run(paths)
    assert (paths.host_state / "reset").exists()
