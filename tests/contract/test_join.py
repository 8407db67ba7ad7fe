# SPDX-License-Identifier: Apache-2.0
"""A card's first boot: what `orillo daemon join` does with token and site plan, against an endpoint."""

import asyncio
import os
from pathlib import Path

import pytest

from appliance.cli import beside, daemon_join
from appliance.cli.errors import CliError
from appliance.host.source import find
from appliance.paths import Paths
from appliance.sync.identity import load_identity
from tests.fakes.control_endpoint import FakeControlEndpoint


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A device whose mount(8) writes down what it was asked."""
    mount = tmp_path / "bin/mount"
    mount.parent.mkdir()
    mount.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/mounts\n')
    mount.chmod(0o755)
    monkeypatch.setenv("PATH", str(mount.parent), prepend=":")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    paths = Paths(tmp_path / "device")
    for directory in (paths.boot_config, paths.esp, paths.host_run):
        directory.mkdir(parents=True)
    (paths.host_run / "join").touch()
    return paths


async def test_the_token_is_used_and_wiped_where_it_stands(
    endpoint: FakeControlEndpoint, paths: Paths, tmp_path: Path
) -> None:
    token = endpoint.token("shop1")
    file = paths.boot_config / "orillo.toml"
    file.write_text(f'token = "{token}"\nname = "shop1"\n')
    assert await asyncio.to_thread(daemon_join.run, paths) == 0
    assert load_identity(paths) is not None
    assert file.read_text() == f'token = "{" " * len(token)}"\nname = "shop1"\n'
    told = [f"-o remount,{how} {paths.boot_config}" for how in ("rw", "ro")]
    assert (tmp_path / "mounts").read_text().splitlines() == told
    assert not (paths.host_run / "join").exists()
    # At the next start the blanks are no token: or this unit failed at each one, as was seen in a machine.
    found = find(paths.boot_config)
    assert found is not None
    assert found.config.token == ""
    assert await asyncio.to_thread(daemon_join.run, paths) == 0


async def test_a_token_beside_what_imager_wrote(
    endpoint: FakeControlEndpoint, paths: Paths, tmp_path: Path
) -> None:
    """On the boot loader's partition, which is never made read-only."""
    (paths.esp / "firstrun.sh").write_text("imager_custom set_hostname shop1\n")
    (paths.esp / "token.txt").write_text(token := endpoint.token("shop1"))
    assert await asyncio.to_thread(daemon_join.run, paths) == 0
    assert load_identity(paths) is not None
    assert token not in (paths.esp / "token.txt").read_text()
    assert not (tmp_path / "mounts").exists()


async def test_a_plan_that_is_no_good_does_not_keep_the_token_from_being_used(
    endpoint: FakeControlEndpoint, paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    (paths.boot_config / "plan.json").write_text("{}")
    plan = f'plan = "plan.json"\nplan_key = "{"A" * 43}="\n'
    file = paths.boot_config / "orillo.toml"
    file.write_text(plan)
    # Alone it is what the device was given to live by: that it can't is a failure, told by the unit.
    with pytest.raises(Exception, match="plan"):
        await asyncio.to_thread(daemon_join.run, paths)
    assert (paths.host_run / "join").exists()
    file.write_text(f'token = "{endpoint.token("shop1")}"\n{plan}')
    assert await asyncio.to_thread(daemon_join.run, paths) == 0
    assert load_identity(paths) is not None
    assert "the site plan is not used: " in capsys.readouterr().out


async def test_a_token_that_is_not_found_again_is_not_called_wiped(
    endpoint: FakeControlEndpoint, paths: Paths
) -> None:
    """As TOML it may be written with escapes; then somebody has to see to it."""
    token = endpoint.token("shop1")
    escaped = f"\\u{ord(token[0]):04x}{token[1:]}"
    (paths.boot_config / "orillo.toml").write_text(f'token = "{escaped}"\n')
    with pytest.raises((CliError, Exception), match="wipe it by hand"):
        await asyncio.to_thread(daemon_join.run, paths)


async def test_clouds_user_data_is_read_by_the_program_that_knows_yaml(
    endpoint: FakeControlEndpoint, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an image, where the daemon's own does not; there it was found."""
    (paths.boot_config / "user-data").write_text(
        f"#cloud-config\norillo:\n  token: {endpoint.token('shop1')}\n"
    )
    became: list[str] = []
    monkeypatch.setattr(beside, "go_on_in", became.append)
    assert await asyncio.to_thread(daemon_join.run, paths) == 0
    assert became == [beside.TERMINAL]
    assert load_identity(paths) is not None
