# SPDX-License-Identifier: Apache-2.0
"""A card's first boot: what `orillo daemon join` does with token and site plan, against an endpoint."""

import asyncio
import os
from pathlib import Path

import pytest

from appliance.cli import daemon_join
from appliance.host import joining
from appliance.host.errors import HostConfigError
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
    return paths


async def join(paths: Paths) -> int:
    """As at a boot: one program reads the card, the other does what it left."""
    joining.leave(paths, find(paths.boot_config, paths.esp))
    return await asyncio.to_thread(daemon_join.run, paths)


async def test_the_token_is_used_and_wiped_where_it_stands(
    endpoint: FakeControlEndpoint, paths: Paths, tmp_path: Path
) -> None:
    token = endpoint.token("shop1")
    file = paths.boot_config / "orillo.toml"
    file.write_text(f'token = "{token}"\nname = "shop1"\n')
    assert await join(paths) == 0
    assert load_identity(paths) is not None
    assert file.read_text() == f'token = "{" " * len(token)}"\nname = "shop1"\n'
    told = [f"-o remount,{how} {paths.boot_config}" for how in ("rw", "ro")]
    assert (tmp_path / "mounts").read_text().splitlines() == told
    assert not (paths.host_run / "join").exists()
    # At the next start the blanks are no token: or this unit failed at each one, as was seen in a machine.
    found = find(paths.boot_config)
    assert found is not None
    assert found.config.token == ""
    assert await join(paths) == 0


async def test_a_token_beside_what_imager_wrote(
    endpoint: FakeControlEndpoint, paths: Paths, tmp_path: Path
) -> None:
    """On the boot loader's partition, which is never made read-only."""
    (paths.esp / "firstrun.sh").write_text("imager_custom set_hostname shop1\n")
    (paths.esp / "token.txt").write_text(token := endpoint.token("shop1"))
    assert await join(paths) == 0
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
        await join(paths)
    assert (paths.host_run / "join").exists()
    file.write_text(f'token = "{endpoint.token("shop1")}"\n{plan}')
    assert await join(paths) == 0
    assert load_identity(paths) is not None
    assert "the site plan is not used: " in capsys.readouterr().out


async def test_a_token_that_is_not_found_again_is_not_called_wiped(
    endpoint: FakeControlEndpoint, paths: Paths
) -> None:
    """As TOML it may be written with escapes; then somebody has to see to it."""
    token = endpoint.token("shop1")
    escaped = f"\\u{ord(token[0]):04x}{token[1:]}"
    file = paths.boot_config / "orillo.toml"
    file.write_text(f'token = "{escaped}"\n')
    with pytest.raises(HostConfigError, match="wipe it by hand"):
        await join(paths)
    # The unit tries again: what let the device in is not used a second time, and wiped once it can be.
    file.write_text(f'token = "{token}"\n')
    assert await asyncio.to_thread(daemon_join.run, paths) == 0
    assert token not in file.read_text()
    assert not (paths.host_run / "join").exists()


async def test_what_is_left_is_for_root_and_gone_once_it_is_used(
    endpoint: FakeControlEndpoint, paths: Paths
) -> None:
    """cloud-init's user-data: read by the program that knows YAML, which has no HTTP client."""
    (paths.boot_config / "user-data").write_text(
        f"#cloud-config\norillo:\n  token: {endpoint.token('shop1')}\n"
    )
    joining.leave(paths, find(paths.boot_config, paths.esp))
    left = paths.host_run / "join"
    assert left.stat().st_mode & 0o777 == 0o600
    assert await asyncio.to_thread(daemon_join.run, paths) == 0
    assert load_identity(paths) is not None
    assert not left.exists()


def test_what_is_damaged_is_told_with_a_remedy(paths: Paths) -> None:
    (paths.host_run / "join").write_bytes(b'{"token":')
    with pytest.raises(HostConfigError, match="restart orillo-host"):
        joining.left(paths)
