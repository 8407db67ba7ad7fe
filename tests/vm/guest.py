# SPDX-License-Identifier: Apache-2.0
"""The Debian that the machines start: made once by mmdebstrap, kept below the cache as a squashfs.

Every machine has it read-only with a file system of its own laid over it, so that all share one file.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.lab.command import LabError, attempt
from tests.vm.cpio import archive
from tests.vm.kernel import first_modules, uncompressed

_SUITE = "bookworm"
_HERE = Path(__file__).parent / "inside"
#: systemd, what the appliance drives, and what looks at it.
_PACKAGES = (
    "apparmor",
    "busybox-static",
    "ca-certificates",
    "conntrack",
    "containernetworking-plugins",
    "dbus",
    "iproute2",
    "iptables",
    "iputils-ping",
    "kmod",
    "libcharon-extra-plugins",
    "libstrongswan-standard-plugins",
    "nftables",
    "procps",
    "strongswan-charon",
    "strongswan-swanctl",
    "systemd-sysv",
    "tcpdump",
    "udev",
    "unbound",
    "xz-utils",
)
_KERNELS = {"amd64": "linux-image-cloud-amd64", "arm64": "linux-image-cloud-arm64"}
#: Host services that would be in the way, as an owner would see to it, and what only costs time here.
_MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "serial-getty@ttyAMA0.service",
    "serial-getty@ttyS0.service",
    "strongswan-starter.service",
    "systemd-timesyncd.service",
    "unbound.service",
)
_OPTIONS = (
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
)
# The kernel's package is unpacked and not installed: to make an initial RAM disk takes an emulated
# Debian longer than all else, and the machines have one of their own. `$1` is the root, `KERNEL` the package
# that depends on the newest kernel.
_UNPACK_KERNEL = """
set -e
cd "$1"
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
newest=$(apt-cache depends -i KERNEL | sed -n 's/.*Depends: //p' | head -n 1)
apt-get -q download "$newest"
# /lib is a link to /usr/lib, and is to stay one.
dpkg-deb --fsys-tarfile ./"$newest"_*.deb | tar -x --keep-directory-symlink
rm ./"$newest"_*.deb
chroot . depmod "$(ls usr/lib/modules)"
"""
_PLACES = ("/dev d 755 0 0", "/proc d 555 0 0", "/sys d 555 0 0", "/run d 755 0 0", "/tmp d 1777 0 0")


@dataclass(frozen=True)
class Guest:
    """What QEMU needs to start a machine of this architecture."""

    architecture: str
    kernel: Path
    initrd: Path
    root: Path


def cache() -> Path:
    """Where guests are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orillo/vm"


def guest(architecture: str) -> Guest:
    """The guest of this architecture; made if it is not there, which takes minutes."""
    own = b"".join(path.read_bytes() for path in sorted(_HERE.iterdir()))
    described = " ".join((*_PACKAGES, *_MASKED, _kernel(architecture))).encode() + own
    place = cache() / f"{architecture}-{hashlib.sha256(described).hexdigest()[:8]}"
    found = Guest(architecture, place / "kernel", place / "initrd", place / "root.squashfs")
    if not found.root.exists():
        work = place.with_suffix(".new")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        _make(architecture, work)
        shutil.rmtree(place, ignore_errors=True)
        work.rename(place)
    return found


def _kernel(architecture: str) -> str:
    """The hook that puts the kernel in."""
    return _UNPACK_KERNEL.replace("KERNEL", _KERNELS[architecture])


def _make(architecture: str, work: Path) -> None:
    root = work / "root"
    include = f"--include={','.join(_PACKAGES)}"
    kind = (f"--arch={architecture}", "--variant=minbase", "--mode=root", *_OPTIONS)
    _must("mmdebstrap", *kind, include, f"--customize-hook={_kernel(architecture)}", _SUITE, str(root))
    _settle(root)
    kernel = next((root / "boot").glob("vmlinuz-*"))
    image = kernel.read_bytes()
    (work / "kernel").write_bytes(uncompressed(image) if architecture == "amd64" else image)
    modules = first_modules(root / "usr/lib/modules" / kernel.name.removeprefix("vmlinuz-"))
    files = {"init": (_HERE / "init").read_bytes(), "bin/busybox": (root / "bin/busybox").read_bytes()}
    files |= {f"modules/{number:02}-{path.name}": path.read_bytes() for number, path in enumerate(modules)}
    (work / "initrd").write_bytes(archive(files))
    entries = [word for place in _PLACES for word in ("-p", place)]
    # What follows -e is all left out, so it comes last.
    left_out = ("-e", "boot", "dev", "proc", "run", "sys", "tmp", "var/cache/apt", "var/lib/apt/lists")
    squashfs = str(work / "root.squashfs")
    _must("mksquashfs", str(root), squashfs, "-comp", "lz4", "-quiet", "-no-progress", *entries, *left_out)
    shutil.rmtree(root)


def _settle(root: Path) -> None:
    """Our way in, no password, and nothing started that is in the way."""
    shutil.copy(_HERE / "vm-shell", root / "usr/local/sbin/vm-shell")
    (root / "usr/local/sbin/vm-shell").chmod(0o755)
    shutil.copy(_HERE / "vm-shell.service", root / "etc/systemd/system/vm-shell.service")
    (root / "etc/hostname").write_text("vm\n")
    (root / "etc/machine-id").write_text("")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("")
    system = ("systemctl", f"--root={root}", "-q")
    _must(*system, "mask", *_MASKED)
    _must(*system, "enable", "vm-shell.service")
    _must(*system, "set-default", "multi-user.target")


def _must(*words: str) -> None:
    done = attempt(*words, timeout=3600)
    if not done.ok:
        raise LabError(f"{words[0]} ended with {done.code}: {done.text[-800:]}")
