# SPDX-License-Identifier: Apache-2.0
"""The image for a Raspberry Pi, looked at: what firmware, loaders and Linux want is where each looks.

No Pi ever started it here. `./dev image --arch arm64 --board rpi` makes what this reads.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.lab.command import run
from tests.lab.process import SOURCE

_MADE = sorted((SOURCE / "build/image").glob("orillo-rpi-arm64-full-*.img"))
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        not _MADE, reason="./dev image --arch arm64 --board rpi makes the image that this reads"
    ),
]
_SECTOR = 512
#: Of the chip's own blocks, and what the tunnels are made of.
_MODULES = ("bcm2835", "sdhci-iproc", "genet", "lan78xx", "smsc95xx", "brcmfmac", "esp4", "xfrm_interface")


@pytest.fixture(scope="module")
def image() -> Path:
    return max(_MADE, key=lambda path: path.stat().st_mtime)


@pytest.fixture(scope="module")
def table(image: Path) -> dict[str, dict[str, int]]:
    """The partitions by label."""
    found = json.loads(run("sfdisk", "--json", str(image)))["partitiontable"]
    assert found["label"] == "gpt"
    return {row["name"]: row for row in found["partitions"]}


@pytest.fixture(scope="module")
def esp(image: Path, table: dict[str, dict[str, int]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the boot partition."""
    tree = tmp_path_factory.mktemp("esp")
    run(
        "mcopy",
        "-s",
        "-n",
        "-i",
        f"{image}@@{table['esp']['start'] * _SECTOR}",
        "::*",
        str(tree),
        timeout=120,
    )
    return tree


def test_a_loader_that_knows_no_gpt_finds_the_boot_partition(
    image: Path, table: dict[str, dict[str, int]]
) -> None:
    assert list(table) == ["esp", "boot-config", "root-a", "root-b", "data"]
    assert not [name for name, row in table.items() if row["start"] * _SECTOR % (1 << 20)]
    with image.open("rb") as disk:
        sector = disk.read(_SECTOR)
    rows = [sector[at : at + 16] for at in range(446, 510, 16)]
    first = (rows[0][4], int.from_bytes(rows[0][8:12], "little"), int.from_bytes(rows[0][12:16], "little"))
    assert first == (0x0C, table["esp"]["start"], table["esp"]["size"])
    assert rows[1][4] == 0xEE
    assert sector[510:] == b"\x55\xaa"


def test_the_firmware_finds_its_parts_and_u_boot(esp: Path) -> None:
    for name in ("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat", "LICENCE.firmware"):
        assert (esp / name).stat().st_size > 1000, name
    config = dict(re.findall(r"(?m)^(\w+)=(\S+)$", (esp / "config.txt").read_text()))
    assert config == {"arm_64bit": "1", "enable_uart": "1", "upstream_kernel": "1", "kernel": "u-boot.bin"}
    loader = (esp / config["kernel"]).read_bytes()
    assert b"U-Boot 20" in loader
    assert b"efi/boot/bootaa64.efi" in loader


@pytest.mark.parametrize(
    ("tree", "machine"),
    [
        ("bcm2837-rpi-3-b.dtb", b"raspberrypi,3-model-b"),
        ("bcm2837-rpi-3-b-plus.dtb", b"raspberrypi,3-model-b-plus"),
        ("bcm2711-rpi-4-b.dtb", b"raspberrypi,4-model-b"),
    ],
)
def test_each_model_has_its_device_tree(esp: Path, tree: str, machine: bytes) -> None:
    data = (esp / tree).read_bytes()
    assert data.startswith(b"\xd0\x0d\xfe\xed")
    assert machine + b"\0" in data


def test_systemd_boot_finds_a_kernel_with_the_drivers_of_a_pi(esp: Path) -> None:
    assert (esp / "EFI/BOOT/BOOTAA64.EFI").read_bytes().startswith(b"MZ")
    entry = (esp / "loader/entries/orillo-a.conf").read_text()
    assert "console=ttyS1,115200" in entry
    kernel = (esp / "a/vmlinuz").read_bytes()
    assert (kernel[:2], kernel[0x38:0x3C]) == (b"MZ", b"ARM\x64")
    packed = (esp / "a/initrd").read_bytes()
    initrd = subprocess.run(["zstd", "-dcq"], input=packed, capture_output=True, check=True).stdout
    for module in (b"/sdhci-iproc.ko", b"/bcm2835.ko", b"/squashfs.ko"):
        assert module in initrd, module


def test_its_root_has_the_kernels_modules_and_no_firmware_twice(
    image: Path, table: dict[str, dict[str, int]], tmp_path: Path
) -> None:
    root = tmp_path / "root.squashfs"
    with image.open("rb") as disk:
        disk.seek(table["root-a"]["start"] * _SECTOR)
        root.write_bytes(disk.read(table["root-a"]["size"] * _SECTOR))
    listing = run("unsquashfs", "-l", "-d", "", str(root), timeout=120)
    for module in _MODULES:
        assert re.search(rf"/{module}\.ko$", listing, re.MULTILINE), module
    assert re.search(r"/lib/firmware/brcm/brcmfmac4345.*\.bin$", listing, re.MULTILINE)
    assert "/usr/lib/orillo/orillo-tui\n" in listing
    assert "raspi-firmware" not in listing
    assert not re.search(r"\.dtb$", listing, re.MULTILINE)


def test_the_manifest_names_the_firmware(image: Path) -> None:
    listed = json.loads(image.with_suffix(".manifest.json").read_text())["packages"]
    versions = {row["name"]: row["version"] for row in listed}
    assert {"raspi-firmware", "u-boot-rpi", "firmware-brcm80211", "linux-image-arm64"} <= set(versions)
