# SPDX-License-Identifier: Apache-2.0
"""`orillo daemon host`: on an image of ours, the host's name, network and console, at each boot."""

import socket
from contextlib import suppress
from pathlib import Path

from appliance.cli import beside
from appliance.cli.daemon_bootloader import booted_slot
from appliance.cli.errors import CliError, Exit, need_root
from appliance.host import applied, joining
from appliance.host.config import HostConfig
from appliance.host.errors import HostConfigError
from appliance.host.slots import BootEntries
from appliance.host.source import Found, find, takes_yaml
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.files import read_text
from appliance.paths import Paths

_DEFAULT_NAME = "orillo"


def run(paths: Paths) -> int:
    """Apply what is new on the boot-config partition, render what is kept. 4: the file can't be used."""
    need_root("daemon host")
    if takes_yaml(paths.boot_config, paths.esp):
        beside.go_on_in(beside.TERMINAL)
    found, fault = _found(paths)
    config = _applied(paths, found)
    applied.render(paths, config)
    with suppress(OSError):
        socket.sethostname(config.name or _DEFAULT_NAME)
    _remember_machine(paths)
    _count_start(paths)
    _say(found, config, fault)
    joining.leave(paths, found)
    return Exit.DEGRADED if fault else Exit.OK


def _found(paths: Paths) -> tuple[Found | None, str]:
    """What is on the partition, or why it can't be used: then the site goes on with what it had."""
    try:
        return find(paths.boot_config, paths.esp), ""
    except DoorError as error:
        return None, str(error)


def _applied(paths: Paths, found: Found | None) -> HostConfig:
    before = None
    with suppress(HostConfigError):
        before = applied.kept(paths)
    if found is not None and (before is None or before.digest != found.digest):
        applied.keep(paths, found.digest, found.config)
        return found.config
    return before.config if before is not None else HostConfig()


def _remember_machine(paths: Paths) -> None:
    """Without it each boot would be another machine to the journal."""
    identity = (read_text(paths.root / "etc/machine-id") or "").strip()
    if len(identity) == 32 and "systemd.machine_id=" not in (read_text(Path("/proc/cmdline")) or ""):
        with suppress(DoorError):
            BootEntries(paths.esp).remember_machine(identity)


def _count_start(paths: Paths) -> None:
    """For a loader that can't, as early as we run."""
    with suppress(CliError, DoorError):
        BootEntries(paths.esp).count_start(booted_slot())


def _say(found: Found | None, config: HostConfig, fault: str) -> None:
    """What was read, for the console."""
    if fault:
        print(f"boot-config: {fault}; going on with what was applied before")
    elif found is None:
        print("boot-config: no orillo.toml on the partition BOOTCONFIG: enrol at the terminal")
    else:
        links = ", ".join(uplink.name for uplink in config.uplink) or "every wired link, by DHCP"
        token = "a token" if found.config.token else "no token"
        plan = f", site plan {found.config.plan}" if found.config.plan else ""
        print(
            f"boot-config: {found.file.name}: name {config.name or _DEFAULT_NAME}, "
            f"uplinks: {links}, {token}{plan}"
        )
