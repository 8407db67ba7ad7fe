# SPDX-License-Identifier: Apache-2.0
"""What an image is made of, as far as it can be known without making one."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from appliance.host.config import parse
from appliance.host.entries import entry_text, read_entry
from orillo_image.bill import bill
from orillo_image.board import stage
from orillo_image.bundle import system_conf
from orillo_image.disk import _ext4, entry
from orillo_image.manifest import installed, manifest
from orillo_image.mirrors import lines
from orillo_image.recipe import ARCHITECTURES, HERE, KERNELS, Recipe, firmware, kernel_for, packages
from orillo_image.tools import ImageError

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


def _pi() -> Recipe:
    return Recipe("arm64", "rpi", "full", containers=False, deb=Path("orillo.deb"), version="1.2.3", epoch=1)


def test_a_pi_has_a_kernel_with_its_drivers_and_its_firmware() -> None:
    assert {"linux-image-arm64", "firmware-brcm80211"} <= set(packages(_pi()))
    assert set(firmware(_pi())) == {"raspi-firmware", "u-boot-rpi"}
    assert not firmware(_recipe("arm64"))
    assert "console=ttyS1,115200" in entry(_pi(), "a", 1)


def test_a_board_is_made_for_what_it_can_be() -> None:
    assert kernel_for("generic-uefi", "arm64", None) == "cloud"
    assert kernel_for("generic-uefi", "amd64", "full") == "full"
    assert kernel_for("rpi", "arm64", None) == "full"
    for arch, kernel in (("amd64", None), ("arm64", "cloud")):
        with pytest.raises(ImageError, match="the board rpi"):
            kernel_for("rpi", arch, kernel)


def test_what_a_pi_starts_with_is_taken_from_its_packages(tmp_path: Path) -> None:
    given = tmp_path / "boot/firmware/usr"
    for place, names in {
        given / "lib/raspi-firmware": (
            *("bootcode.bin", "start.elf", "start4.elf", "start_db.elf", "fixup.dat", "fixup4.dat"),
        ),
        given / "share/doc/raspi-firmware": ("copyright",),
        given / "lib/u-boot/rpi_arm64": ("u-boot.bin",),
        tmp_path / "usr/lib/linux-image-6.1/broadcom": ("bcm2711-rpi-4-b.dtb", "bcm4908-asus.dtb"),
    }.items():
        place.mkdir(parents=True)
        for name in names:
            (place / name).write_text(name)
    staged = stage(_pi(), tmp_path, tmp_path / "esp")
    assert {path.name for path in staged.iterdir()} == {
        *("bootcode.bin", "start.elf", "start4.elf", "fixup.dat", "fixup4.dat", "LICENCE.firmware"),
        *("bcm2711-rpi-4-b.dtb", "config.txt", "u-boot.bin"),
    }
    assert "kernel=u-boot.bin" in (staged / "config.txt").read_text()
    (given / "lib/u-boot/rpi_arm64/u-boot.bin").unlink()
    with pytest.raises(ImageError, match="u-boot"):
        stage(_pi(), tmp_path, tmp_path / "esp")
    assert not list(stage(_recipe("arm64"), tmp_path, tmp_path / "none").iterdir())


def test_packages_come_from_the_mirrors_that_apt_is_set_to() -> None:
    targets = (
        "http://mirror.lan/debian/ bookworm main",
        "http://mirror.lan/debian/ bookworm contrib",
        "http://mirror.lan/debian/ bookworm-updates main",
        "http://mirror.lan/security/ bookworm-security main",
        "https://elsewhere.example/ cloud-bookworm main",
    )
    assert lines(targets, "bookworm", ("main", "non-free-firmware")) == [
        "deb http://mirror.lan/debian/ bookworm main non-free-firmware",
        "deb http://mirror.lan/debian/ bookworm-updates main non-free-firmware",
        "deb http://mirror.lan/security/ bookworm-security main non-free-firmware",
    ]
    # Another release of Debian, or no Debian: mmdebstrap's own choice.
    assert lines(targets, "trixie", ("main",)) == []


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
    assert called == {"host", "join", "reset", "good"}


def test_what_is_enabled_is_there() -> None:
    preset = (_FILES / "usr/lib/systemd/system-preset/10-orillo-image.preset").read_text()
    ours = set(re.findall(r"(?m)^enable (orillo-\S+)$", preset)) - {
        "orillo-charon.service",
        "orillo-dns.service",
    }
    assert all((_UNITS / name).is_file() for name in ours)
    assert "disable unbound.service" in preset


def test_nobody_but_our_judge_keeps_a_system_on_trial() -> None:
    """systemd would bless one that merely starts; and a judge that crashes, with status 1, has not judged."""
    bless = _FILES / "etc/systemd/system/systemd-bless-boot.service"
    assert bless.readlink() == Path("/dev/null")
    judge = (_UNITS / "orillo-good.service").read_text()
    assert "SuccessExitStatus" not in judge
    assert "OnFailure=orillo-go-back.service" in judge


_STATUS = """Package: unbound
Status: install ok installed
Architecture: amd64
Version: 1.17.1-2+deb12u2
Description: a resolver
 and more of it

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: orillo
Status: install ok installed
Architecture: amd64
Version: 1.2.3

"""


def test_the_bill_names_each_package_and_what_is_inside_ours(tmp_path: Path) -> None:
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(_STATUS)
    inside = tmp_path / "sbom.cdx.json"
    inside.write_text(json.dumps({"components": [{"type": "library", "name": "msgspec", "version": "1"}]}))
    found = installed(_recipe(), tmp_path)
    assert [package["name"] for package in found] == ["orillo", "unbound"]
    said = json.loads(bill(_recipe(), found, inside))
    assert (said["bomFormat"], said["specVersion"]) == ("CycloneDX", "1.5")
    ours, unbound = said["components"]
    assert unbound["purl"] == "pkg:deb/debian/unbound@1.17.1-2%2Bdeb12u2?arch=amd64&distro=debian-12"
    assert [one["name"] for one in ours["components"]] == ["msgspec"]
    assert said["dependencies"][0]["dependsOn"] == [ours["bom-ref"], unbound["bom-ref"]]
    # The same packages give the same bill, to the byte.
    assert bill(_recipe(), found, inside) == bill(_recipe(), found, inside)
    assert json.loads(manifest(_recipe(), found))["packages"] == found


def test_the_data_partition_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    """Its files carry times, of which ctime is when this build touched them."""
    made: list[Path] = []
    for name in ("one", "two"):
        tree = tmp_path / name
        (tree / "lib/orillo").mkdir(parents=True)
        (tree / "log").symlink_to("lib")
        (tree / "lib/note").write_text("kept")
        (tree / "lib/orillo").chmod(0o700)
        os.utime(tree / "lib/note", (len(made), len(made)))
        made.append(_ext4(_recipe(), tree, tmp_path / f"{name}.ext4"))
    assert made[0].read_bytes() == made[1].read_bytes()
    checked = subprocess.run(["e2fsck", "-fn", str(made[0])], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
