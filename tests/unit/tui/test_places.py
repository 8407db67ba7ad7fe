# SPDX-License-Identifier: Apache-2.0
"""Where a report can be written to, by a kernel's tables in files."""

from pathlib import Path

import pytest

from appliance.tui.places import places


def disk(sys: Path, name: str, removable: str, bus: str, partition: str = "") -> None:
    """A disk, and a partition of it, as sysfs has them."""
    node = sys / "devices" / bus / "block" / name
    node.mkdir(parents=True)
    (node / "removable").write_text(f"{removable}\n")
    target = node
    if partition:
        target = node / partition
        target.mkdir()
        (target / "partition").write_text("1\n")
    links = sys / "class/block"
    links.mkdir(parents=True, exist_ok=True)
    (links / (partition or name)).symlink_to(target)


@pytest.fixture
def sys(tmp_path: Path) -> Path:
    disk(tmp_path / "sys", "sda", "0", "pci0/ata1", "sda1")
    disk(tmp_path / "sys", "sdb", "1", "pci0/usb1/1-1", "sdb1")
    disk(tmp_path / "sys", "sdc", "0", "pci0/usb2/2-1", "sdc1")
    disk(tmp_path / "sys", "mmcblk1", "1", "mmc")
    return tmp_path / "sys"


def found(tmp_path: Path, sys: Path, *lines: str) -> tuple[str, ...]:
    mounts = tmp_path / "mounts"
    mounts.write_text("".join(f"{line}\n" for line in lines))
    return places(mounts, sys)


def test_sticks_and_cards_are_places_and_the_devices_own_disk_is_none(tmp_path: Path, sys: Path) -> None:
    assert found(
        tmp_path,
        sys,
        "/dev/sda1 / ext4 rw,relatime 0 0",
        "/dev/sdb1 /media/my\\040stick vfat rw,nosuid 0 0",
        "/dev/sdc1 /mnt/disk ext4 rw 0 0",
        "/dev/mmcblk1 /media/card vfat rw 0 0",
        "tmpfs /run tmpfs rw 0 0",
    ) == ("/media/my stick", "/mnt/disk", "/media/card")


def test_what_can_not_be_written_to_is_no_place(tmp_path: Path, sys: Path) -> None:
    lines = ("/dev/sdb1 /media/stick vfat ro 0 0", "/dev/sdb1 /boot/efi vfat rw 0 0", "nonsense", "")
    assert found(tmp_path, sys, *lines) == ()


def test_a_host_without_these_tables_has_no_places(tmp_path: Path) -> None:
    assert places(tmp_path / "none", tmp_path) == ()
