# SPDX-License-Identifier: Apache-2.0
"""The Debian package, of a directory that stands for a build."""

import shutil
import subprocess
from pathlib import Path

import pytest

from orillo_pack.debian import control, make_package

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
UNITS = Path(__file__).parents[3] / "packaging/debian"


def build(tmp_path: Path, name: str) -> Path:
    directory = tmp_path / "orillo"
    directory.mkdir(exist_ok=True)
    program = directory / "orillo"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    out = tmp_path / name
    out.mkdir()
    return make_package(directory, out, "1.2.3", "amd64", 1_700_000_000)


def test_package_holds_command_units_and_settings(tmp_path: Path) -> None:
    package = build(tmp_path, "a")
    assert package.name == "orillo_1.2.3_amd64.deb"
    listing = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True).stdout
    for path in (
        "./usr/lib/orillo/orillo",
        "./usr/bin/orillo -> ../lib/orillo/orillo-launch",
        "./usr/lib/orillo/orillo-launch",
        "./usr/lib/systemd/system/orillo-update.path",
        "./usr/lib/tmpfiles.d/orillo.conf",
        "./usr/lib/systemd/system/orillo-charon.service",
        "./etc/orillo/orillo.toml",
    ):
        assert path in listing


def test_same_input_gives_the_same_package(tmp_path: Path) -> None:
    assert build(tmp_path, "a").read_bytes() == build(tmp_path, "b").read_bytes()


def test_control_names_charon_and_not_its_starter() -> None:
    text = control("1.2.3", "arm64", 7)
    assert "Architecture: arm64" in text
    assert "strongswan-charon" in text
    assert "strongswan-starter" not in text


@pytest.mark.parametrize("unit", sorted(UNITS.glob("*.service")), ids=lambda unit: unit.name)
def test_unit_starts_what_the_package_brings_and_keeps_its_run_directory(unit: Path) -> None:
    text = unit.read_text()
    assert "ExecStart=/usr/lib/orillo/orillo-launch " in text
    # Three services share it, and two of them must outlive the third.
    assert "RuntimeDirectory=" not in text or "RuntimeDirectoryPreserve=yes" in text
    assert "NoNewPrivileges=yes" in text
