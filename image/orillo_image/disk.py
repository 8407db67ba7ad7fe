# SPDX-License-Identifier: Apache-2.0
"""From a root file system to a disk: squashfs, data, boot loader and the partition table, without mounts.

Partitions are found by their labels (`PARTLABEL=`): `esp`, `boot-config`, `root-a`, `root-b`, `data`.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orillo_image.recipe import Recipe
from orillo_image.tools import ImageError, call

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Sizes in MiB. The root may be as large as its partition for all time; data grows on the first boot.
BOOT_CONFIG, ROOT, DATA = 16, 320, 128
#: GPT partition types. By that of /var systemd-repart knows what to grow.
_ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
_FAT_TYPE = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
_LINUX_TYPE = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
_VAR_TYPE = "4D21B016-B534-45C2-A9FB-5C16E091FD2D"
_LOADER = {"amd64": ("systemd-bootx64.efi", "BOOTX64.EFI"), "arm64": ("systemd-bootaa64.efi", "BOOTAA64.EFI")}
#: mksquashfs takes everything after -e as a name, so these come before it; without them nothing boots.
_EMPTY = ("dev", "proc", "sys", "run")
_TIMES = ("atime", "ctime", "mtime")


@dataclass(frozen=True)
class Parts:
    """The file systems that go into a disk."""

    root: Path
    data: Path
    esp: Path
    boot_config: Path


def make_squashfs(recipe: Recipe, root: Path, out: Path) -> Path:
    """The root as one read-only file. /var is the data partition's; an empty copy of it stays for a reset."""
    factory = root / "usr/share/factory/var"
    shutil.rmtree(factory, ignore_errors=True)
    factory.parent.mkdir(parents=True, exist_ok=True)
    call(["cp", "-a", root / "var", factory], epoch=recipe.epoch)
    out.unlink(missing_ok=True)
    pseudo = [word for name in _EMPTY for word in ("-p", f"/{name} d 755 0 0")]
    call(
        [
            *("mksquashfs", root, out, "-comp", "zstd", "-Xcompression-level", "22", "-b", "256K"),
            *(
                "-noappend",
                "-quiet",
                "-no-progress",
                "-p",
                "/tmp d 1777 0 0",
                "-p",
                "/var d 755 0 0",
                *pseudo,
            ),
            *("-e", "var", "tmp", *_EMPTY),
        ],
        epoch=recipe.epoch,
    )
    if out.stat().st_size > ROOT << 20:
        raise ImageError(
            f"the root is {out.stat().st_size >> 20} MiB and its partition {ROOT}: leave something out"
        )
    return out


def make_parts(recipe: Recipe, root: Path, squashfs: Path, board: Path, work: Path) -> Parts:
    """The file systems beside the root; `board` holds what the board wants to boot. Raises `ImageError`."""
    return Parts(
        root=squashfs,
        data=_ext4(recipe, root / "usr/share/factory/var", work / "data.ext4"),
        esp=_esp(recipe, root, board, work),
        boot_config=_boot_config(recipe, work),
    )


def make_disk(recipe: Recipe, parts: Parts, out: Path, work: Path) -> Path:
    """Put the file systems behind a partition table, with a second root that is still empty."""
    given = work / "genimage"
    shutil.rmtree(given, ignore_errors=True)
    for name in ("input", "empty"):
        (given / name).mkdir(parents=True)
    for path in (parts.root, parts.data, parts.esp, parts.boot_config):
        (given / "input" / path.name).symlink_to(path.absolute())
    config = given / "genimage.cfg"
    config.write_text(_genimage(recipe, parts, out.name))
    places = {"rootpath": "empty", "inputpath": "input", "outputpath": "out", "tmppath": "tmp"}
    words = [f"--{name}={given / directory}" for name, directory in places.items()]
    call(["genimage", f"--config={config}", *words], epoch=recipe.epoch)
    call(["cp", "--sparse=always", given / "out" / out.name, out], epoch=recipe.epoch)
    shutil.rmtree(given)
    return out


def _genimage(recipe: Recipe, parts: Parts, name: str) -> str:
    uuid = "7410a000-0000-4000-8000-00000000000"
    rows = (
        ("esp", parts.esp.name, recipe.hardware.esp, _ESP_TYPE),
        ("boot-config", parts.boot_config.name, BOOT_CONFIG, _FAT_TYPE),
        ("root-a", parts.root.name, ROOT, _LINUX_TYPE),
        ("root-b", "", ROOT, _LINUX_TYPE),
        ("data", parts.data.name, DATA, _VAR_TYPE),
    )
    partitions = "\n".join(
        f"  partition {label} {{ {_image(image)} size = {size}M{_in_mbr(recipe, label)}"
        f' partition-type-uuid = {kind} partition-uuid = "{uuid}{number}" }}'
        for number, (label, image, size, kind) in enumerate(rows, start=1)
    )
    table = "hybrid" if recipe.hardware.hybrid else "gpt"
    # Flash is erased in large blocks; a partition that starts amid one wears and slows it.
    return f"""image {name} {{
  hdimage {{ partition-table-type = {table} align = 1M disk-uuid = "{uuid}0" }}
{partitions}
}}
"""


def _in_mbr(recipe: Recipe, label: str) -> str:
    """A FAT32 partition, to who knows no GPT."""
    return " partition-type = 0xC" if recipe.hardware.hybrid and label == "esp" else ""


def _image(name: str) -> str:
    return f'image = "{name}"' if name else ""


def _ext4(recipe: Recipe, source: Path, out: Path) -> Path:
    out.unlink(missing_ok=True)
    call(["truncate", "-s", f"{DATA}M", out], epoch=recipe.epoch)
    fixed = "7410a000-0000-4000-8000-0000000000d0"
    features = ("-U", fixed, "-E", f"hash_seed={fixed},lazy_itable_init=0,resize=64G")
    call(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-L", "data", "-m", "1", *features, "-d", source, out],
        epoch=recipe.epoch,
    )
    _same_times(out, source, recipe.epoch)
    return out


def _same_times(file_system: Path, source: Path, epoch: int) -> None:
    """An inode takes its times from the file that it is made of, and no file's ctime can be set."""
    # Inodes are given in turn: the root, lost+found, and one for each file.
    inodes = [2, *range(11, 12 + sum(1 for _ in source.rglob("*")))]
    script = file_system.with_suffix(".debugfs")
    lines = [f"set_inode_field <{inode}> {time} @{epoch}" for inode in inodes for time in _TIMES]
    script.write_text("\n".join(lines) + "\n")
    call(["debugfs", "-w", "-f", script, file_system], epoch=epoch)
    script.unlink()


def _esp(recipe: Recipe, root: Path, board: Path, work: Path) -> Path:
    """The EFI system partition: the board's files, loader, its settings, the kernel of slot a, its entry."""
    tree = work / "esp"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(board, tree)
    program, name = _LOADER[recipe.arch]
    for directory in ("EFI/BOOT", "loader/entries", "a", "b"):
        (tree / directory).mkdir(parents=True)
    shutil.copyfile(root / "usr/lib/systemd/boot/efi" / program, tree / "EFI/BOOT" / name)
    shutil.copyfile(_only(root / "boot", "vmlinuz-*"), tree / "a/vmlinuz")
    shutil.copyfile(_only(root / "boot", "initrd.img-*"), tree / "a/initrd")
    (tree / "loader/loader.conf").write_text("timeout 0\neditor no\n")
    (tree / "loader/entries/orillo-a.conf").write_text(entry(recipe, "a", 1))
    return _fat(recipe, "ESP", recipe.hardware.esp, work / "esp.vfat", tree)


def entry(recipe: Recipe, slot: str, version: int) -> str:
    """A boot entry (Boot Loader Specification). The loader takes the highest version that is not bad."""
    return f"""title Orillo ({slot})
sort-key orillo
version {version}
linux /{slot}/vmlinuz
initrd /{slot}/initrd
options {options(recipe, slot)}
"""


def options(recipe: Recipe, slot: str) -> str:
    """The kernel's command line for a slot."""
    words = (
        f"root=PARTLABEL=root-{slot} rootfstype=squashfs ro rauc.slot={slot}",
        f"console=tty0 console={recipe.hardware.serial[recipe.arch]},115200",
        "quiet panic=10 systemd.gpt_auto=no fsck.repair=yes",
        # A heap in huge pages took 55 MB more, and the kernel keeps 64 MB free to make them.
        "transparent_hugepage=never",
        # Links are eth0 and wlan0, as in every example; who has several names them by their MAC address.
        "net.ifnames=0",
    )
    return " ".join(words)


def _boot_config(recipe: Recipe, work: Path) -> Path:
    tree = work / "boot-config"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(Path(__file__).parents[1] / "boot-config", tree)
    return _fat(recipe, "BOOTCONFIG", BOOT_CONFIG, work / "boot-config.vfat", tree)


def _fat(recipe: Recipe, label: str, size: int, out: Path, tree: Path) -> Path:
    out.unlink(missing_ok=True)
    call(["truncate", "-s", f"{size}M", out], epoch=recipe.epoch)
    call(["mkfs.vfat", "--invariant", "-n", label, out], epoch=recipe.epoch)
    names: Sequence[Path] = sorted(tree.iterdir())
    call(["touch", f"--date=@{recipe.epoch}", *sorted(tree.rglob("*"))], epoch=recipe.epoch)
    call(["mcopy", "-s", "-m", "-i", out, *names, "::"], epoch=recipe.epoch)
    return out


def _only(directory: Path, pattern: str) -> Path:
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise ImageError(
            f"{directory} holds {len(found)} of {pattern}, not one: is the kernel in the package list?"
        )
    return found[0]
