# SPDX-License-Identifier: Apache-2.0
"""The root file system: Debian's packages by mmdebstrap(1), then our own package and the image's files.

Debian's part is kept as a tar below the cache, since for another architecture it takes a quarter of an hour.
"""

import hashlib
import shutil
from pathlib import Path

from appliance.built import architecture
from orillo_image import board
from orillo_image.mirrors import mirrors
from orillo_image.recipe import HERE, Recipe, packages
from orillo_image.tools import call
from orillo_pack.debian import DEPENDS

_SUITE = "bookworm"
#: When that suite was released: the time of all that the installation of Debian's packages makes.
_BASE_EPOCH = 1686355200
#: Nobody reads manuals on a gateway, and unbound's Python is loaded only by a module that we do not use.
_LEFT_OUT = (
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/info/*",
    "/usr/share/doc/*",
    "/usr/share/bash-completion/*",
    "/usr/lib/python3/*",
    "/usr/lib/python3.11/*",
)
_KEPT = ("/usr/share/doc/*/copyright",)
#: What the initial file system needs to find the root, on the disks of virtual machines and x86 boards. With
#: the full kernel it holds every driver for disks that Debian has: nobody can list those of all ARM boards.
_MODULES = (
    "squashfs",
    "virtio_blk",
    "virtio_pci",
    "virtio_scsi",
    "hv_storvsc",
    "vmw_pvscsi",
    "xen_blkfront",
    "nvme",
    "ahci",
    "ata_piix",
    "sd_mod",
    "mmc_block",
    "sdhci_pci",
    "sdhci_acpi",
    "xhci_pci",
    "ehci_pci",
    "usb_storage",
    "uas",
)

#: zstd's, of the initial file system.
_LEVEL = 19

#: Needed to install packages, which this root never does again, or by nothing that is here.
_DROPPED = (
    ("usr/bin/perl*", "only dpkg's and initramfs-tools' scripts, which have run, are in it"),
    ("usr/lib/*-linux-gnu/perl*", "as above"),
    ("usr/lib/*-linux-gnu/libperl.so*", "as above"),
    ("usr/share/perl*", "as above"),
    ("usr/lib/udev/hwdb.d", "source of hwdb.bin"),
    ("usr/lib/udev/hwdb.bin", "names of keyboards and of vendors, for people"),
    ("usr/lib/*-linux-gnu/libapt-*", "packages come with the next image"),
    ("usr/lib/apt", "as above"),
    ("usr/bin/apt*", "as above"),
    ("etc/apt", "as above"),
    ("var/lib/dpkg", "the manifest beside the image says what is in it"),
    ("usr/lib/modules/*/kernel/fs/xfs", "no such file system is ever mounted"),
    ("usr/lib/modules/*/kernel/fs/btrfs", "as above"),
    ("usr/lib/modules/*/kernel/fs/smb", "as above"),
    ("usr/lib/modules/*/kernel/fs/nfs*", "as above"),
    ("usr/lib/modules/*/kernel/fs/ocfs2", "as above"),
    ("usr/lib/modules/*/kernel/fs/ceph", "as above"),
    ("usr/lib/modules/*/kernel/fs/gfs2", "as above"),
    ("usr/lib/modules/*/kernel/fs/jfs", "as above"),
    ("usr/lib/modules/*/kernel/fs/reiserfs", "as above"),
    ("usr/lib/modules/*/kernel/drivers/gpu", "the console is text, by the firmware's frame buffer"),
    ("usr/lib/modules/*/kernel/drivers/infiniband", "no gateway has it"),
    ("usr/lib/modules/*/kernel/arch/x86/kvm", "a gateway starts no machines"),
    ("usr/lib/modules/*/kernel/sound", "nobody listens"),
    ("usr/lib/modules/*/kernel/drivers/comedi", "laboratory cards"),
    ("usr/lib/modules/*/kernel/drivers/target", "a gateway offers nobody its disks"),
    ("usr/lib/modules/*/kernel/drivers/block/drbd", "as above"),
    ("usr/lib/modules/*/kernel/net/ceph", "no such file system is ever mounted"),
    ("usr/lib/modules/*/kernel/net/sunrpc", "as above"),
    ("usr/lib/modules/*/kernel/fs/lockd", "as above"),
    ("usr/lib/cni/dhcp", "neither our conflist nor those of Flannel and Calico name it"),
    ("usr/lib/cni/ipvlan", "as above"),
    ("usr/lib/cni/macvlan", "as above"),
    ("usr/lib/cni/ptp", "as above"),
    ("usr/lib/cni/vlan", "as above"),
    ("usr/lib/cni/vrf", "as above"),
    ("usr/lib/cni/sbr", "as above"),
    ("usr/lib/cni/host-device", "as above"),
    ("usr/lib/cni/firewall", "as above"),
    ("usr/lib/cni/static", "as above"),
    ("usr/lib/linux-image-*", "descriptions of boards: the firmware hands the kernel its own"),
    (board.PLACE, "a board's firmware lies on the boot partition"),
)

#: What may be written, of what Debian has in /etc: the root is read-only, and /etc with it.
_ELSEWHERE = {
    "etc/cni/net.d": "/var/lib/orillo/net.d",
    "etc/orillo/orillo.toml": "/var/lib/orillo-host/orillo.toml",
    "etc/shadow": "/run/orillo-host/shadow",
    "etc/mtab": "../proc/self/mounts",
    # Where runtimes other than Debian's look for plug-ins.
    "opt/cni/bin": "/usr/lib/cni",
}


def make_root(recipe: Recipe, cache: Path, work: Path) -> Path:
    """The whole root file system as a directory below `work`. Raises `ImageError`."""
    base = _base(recipe, cache)
    root = work / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    call(
        ["tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-xf", base, "-C", root],
        epoch=recipe.epoch,
    )
    if _is_packed_later(recipe):
        _pack_initramfs(recipe, root)
    inside = root / "tmp" / recipe.deb.name
    shutil.copyfile(recipe.deb, inside)
    # Its papers, licences of what is compiled into it among them, are no manuals to be left out.
    papers = "--path-include=/usr/share/doc/orillo/*"
    call(["chroot", root, "dpkg", papers, "--install", f"/tmp/{recipe.deb.name}"], epoch=recipe.epoch)
    inside.unlink()
    for tree in ("files", "files-containers") if recipe.containers else ("files",):
        call(["cp", "-a", "--no-preserve=ownership,timestamps", f"{HERE / tree}/.", root], epoch=recipe.epoch)
    _finish(recipe, root)
    return root


def _base(recipe: Recipe, cache: Path) -> Path:
    asked = sorted({*packages(recipe), *(depends.partition(" ")[0] for depends in DEPENDS)} - {"libc6"})
    wanted = (_SUITE, recipe.arch, *asked, *_LEFT_OUT, *_MODULES, *_initramfs(recipe), *board.hooks(recipe))
    name = hashlib.sha256("\n".join((*wanted, str(_BASE_EPOCH))).encode()).hexdigest()
    base = cache / f"base-{recipe.arch}-{recipe.kernel}-{name[:12]}.tar"
    if not base.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = base.with_suffix(".new.tar")
        # Not the time of our source, which what is kept for other commits must not depend on.
        call(_bootstrap(recipe, asked, fresh), epoch=_BASE_EPOCH)
        fresh.rename(base)
    return base


def _bootstrap(recipe: Recipe, asked: list[str], out: Path) -> list[str | Path]:
    modules = "\\n".join(_MODULES)
    conf = "etc/initramfs-tools/conf.d/image"
    settings = "\\n".join(_initramfs(recipe)) + "\\n"
    before_packages = (
        f'mkdir -p "$1/etc/initramfs-tools/conf.d"; printf "{settings}" > "$1/{conf}";'
        f' printf "{modules}\\n" > "$1/etc/initramfs-tools/modules"'
    )
    return [
        "mmdebstrap",
        f"--arch={recipe.arch}",
        "--variant=minbase",
        '--aptopt=Acquire::Languages "none"',
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        *(f"--dpkgopt=path-include={pattern}" for pattern in _KEPT),
        f"--include={','.join(asked)}",
        f"--essential-hook={before_packages}",
        *(f"--customize-hook={hook}" for hook in board.hooks(recipe)),
        f"--components={','.join(recipe.hardware.components)}",
        _SUITE,
        out,
        *mirrors(_SUITE, recipe.hardware.components, recipe.epoch),
    ]


def _initramfs(recipe: Recipe) -> tuple[str, ...]:
    """Settings of initramfs-tools (initramfs.conf(5))."""
    level = 1 if _is_packed_later(recipe) else _LEVEL
    modules = "most" if _has_every_driver(recipe) else "list"
    return "COMPRESS=zstd", f"COMPRESSLEVEL={level}", f"MODULES={modules}"


def _has_every_driver(recipe: Recipe) -> bool:
    return recipe.kernel != "cloud" or recipe.board == "rpi"


def _is_packed_later(recipe: Recipe) -> bool:
    """Whether a large one is packed where its own programs are emulated, which are far slower at it."""
    return _has_every_driver(recipe) and recipe.arch != architecture()


def _pack_initramfs(recipe: Recipe, root: Path) -> None:
    """Pack it anew, at the level that all other images have."""
    for image in sorted((root / "boot").glob("initrd.img-*")):
        plain, packed = image.with_suffix(".plain"), image.with_suffix(".zst")
        call(["zstd", "-q", "-d", image, "-o", plain], epoch=recipe.epoch)
        call(["zstd", "-q", f"-{_LEVEL}", plain, "-o", packed], epoch=recipe.epoch)
        plain.unlink()
        packed.replace(image)


def _finish(recipe: Recipe, root: Path) -> None:
    """What only the built machine must have, or must not have."""
    for path in ("etc/hostname", "etc/resolv.conf", "etc/machine-id"):
        (root / path).unlink(missing_ok=True)
    # Empty: systemd makes one for this boot, and `orillo daemon host` keeps it in the boot entries.
    (root / "etc/machine-id").touch()
    (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/resolv.conf")
    (root / "etc/hostname").write_text("orillo\n")
    for path, target in _ELSEWHERE.items():
        _link(root / path, target)
    call(["chroot", root, "systemctl", "preset-all"], epoch=recipe.epoch)
    if recipe.kernel == "cloud":
        # It has no driver for the watchdogs of boards, and those of virtual machines are few.
        (root / "usr/lib/modules-load.d/orillo-watchdog.conf").write_text("softdog\n")
    for directory in ("efi", "boot/config"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    for rubbish in ("var/lib/apt/lists", "var/cache/apt", "var/cache/debconf", "var/log", "tmp"):
        shutil.rmtree(root / rubbish, ignore_errors=True)
        (root / rubbish).mkdir(parents=True)


def _link(path: Path, target: str) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def slim(root: Path, epoch: int) -> None:
    """Drop what Debian's packages bring and a gateway never opens; the list has each reason."""
    for pattern, _reason in _DROPPED:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for modules in (root / "usr/lib/modules").iterdir():
        call(["chroot", root, "depmod", modules.name], epoch=epoch)
