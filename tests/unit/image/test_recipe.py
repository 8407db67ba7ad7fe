# SPDX-License-Identifier: Apache-2.0
"""What an image is made of, as far as it can be known without making one."""

import re
from pathlib import Path

import pytest

from appliance.host.config import parse
from appliance.host.entries import entry_text, read_entry
from orillo_image.bundle import system_conf
from orillo_image.disk import entry
from orillo_image.recipe import ARCHITECTURES, HERE, KERNELS, Recipe, packages

_FILES = HERE / "files"
_UNITS = _FILES / "usr/lib/systemd/system"


def _recipe(arch: str = "amd64", kernel: str = "cloud", *, containers: bool = False) -> Recipe:
    return Recipe(arch, "generic-uefi", kernel, containers, Path("orillo.deb"), "1.2.3", 1)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_every_package_has_a_reason(arch: str, kernel: str) -> None:
    asked = packages(_recipe(arch, kernel, containers=True))
    assert all(len(reason) > 10 for reason in asked.values())
    forbidden = {"openssh-server", "gcc", "python3", "python3-pip", "sudo", "build-essential"}
    assert not forbidden & set(asked)


def test_containers_come_only_when_asked_for() -> None:
    assert "containerd" not in packages(_recipe())
    assert "containerd" in packages(_recipe(containers=True))


def test_a_bundle_fits_only_the_same_kind_of_machine() -> None:
    compatible = {_recipe(arch, kernel).compatible for arch in ARCHITECTURES for kernel in KERNELS}
    assert len(compatible) == len(ARCHITECTURES) * len(KERNELS)
    assert "compatible=orillo-generic-uefi-amd64-cloud\n" in system_conf(_recipe())
    assert "plain" not in system_conf(_recipe())


def test_the_appliance_understands_the_boot_entry_of_the_image() -> None:
    text = entry(_recipe(), "a", 1)
    first = read_entry("orillo-a.conf", text)
    assert first is not None
    assert (first.slot, first.left, first.version) == ("a", None, 1)
    assert entry_text(text, "a", "b", 2) == entry(_recipe(), "b", 2)


def test_the_example_on_the_card_is_what_the_appliance_reads() -> None:
    text = (HERE / "boot-config/orillo.toml.example").read_text()
    assert parse(text, "example").token == ""
    # All that is commented out is right too, each block by itself.
    for block in re.findall(r"(?m)(?:^#[\[a-z].*\n)+", text):
        given = "\n".join(line.removeprefix("#") for line in block.splitlines())
        if "plan_key" not in given:
            parse(given.replace('passphrase = ""', 'passphrase = "long enough"'), "example")


def test_units_call_verbs_that_there_are() -> None:
    called = set()
    for unit in _UNITS.rglob("*.service"):
        called |= set(re.findall(r"(?m)^ExecStart=/usr/lib/orillo/orillo daemon (\w+)", unit.read_text()))
    assert called == {"host", "join", "good"}


def test_what_is_enabled_is_there() -> None:
    preset = (_FILES / "usr/lib/systemd/system-preset/10-orillo-image.preset").read_text()
    ours = set(re.findall(r"(?m)^enable (orillo-\S+)$", preset)) - {
        "orillo-charon.service",
        "orillo-dns.service",
    }
    assert all((_UNITS / name).is_file() for name in ours)
    assert "disable unbound.service" in preset
