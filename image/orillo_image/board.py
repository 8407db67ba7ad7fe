# SPDX-License-Identifier: Apache-2.0
"""What a Raspberry Pi needs on its boot partition before systemd-boot: its firmware, U-Boot, device trees.

The graphics processor reads `config.txt` and starts U-Boot, which is a UEFI to systemd-boot. So the rest of
the card is what every machine has. The firmware's own way of trying another system, `tryboot`, is no choice:
Debian's kernel can't ask for it.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from orillo_image.recipe import Recipe, firmware
from orillo_image.tools import ImageError

#: Where firmware waits in a fresh root, until `stage` takes it.
PLACE = "boot/firmware"
#: Beside it: which packages it is of, in the form of dpkg's status file.
STATUS = f"{PLACE}/status"
# `$1` is the root. apt's own configuration of the bootstrap, so that it is verified as all else.
_UNPACK = """
set -e
mkdir -p "$1/{place}"
cd "$1/{place}"
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
for name in {names}; do
  apt-get -q download "$name"
  dpkg-deb -x ./"$name"_*.deb .
  dpkg-deb -f ./"$name"_*.deb Package Version Architecture Source >>status
  printf 'Status: boot partition ok installed\\n\\n' >>status
  rm ./"$name"_*.deb
done
"""
_CONFIG = """# Read by the Raspberry Pi's firmware. What follows on it is started by U-Boot and systemd-boot.
arm_64bit=1
# A serial console at 115200 on pins 8 and 10.
enable_uart=1
# The device trees are the kernel's, not the firmware's.
upstream_kernel=1
kernel=u-boot.bin
"""
#: For Raspberry Pi 3 and 4 and their modules: 64 bits, and known to U-Boot of Debian 12. All below `PLACE`.
_FIRMWARE = {
    "usr/lib/raspi-firmware/bootcode.bin": "bootcode.bin",
    "usr/lib/raspi-firmware/start.elf": "start.elf",
    "usr/lib/raspi-firmware/fixup.dat": "fixup.dat",
    "usr/lib/raspi-firmware/start4.elf": "start4.elf",
    "usr/lib/raspi-firmware/fixup4.dat": "fixup4.dat",
    "usr/share/doc/raspi-firmware/copyright": "LICENCE.firmware",
    "usr/lib/u-boot/rpi_arm64/u-boot.bin": "u-boot.bin",
}
_TREES = "usr/lib/linux-image-*/broadcom/bcm2[78]*-rpi-*.dtb"


def hooks(recipe: Recipe) -> tuple[str, ...]:
    """What mmdebstrap does at the end for this board."""
    names = firmware(recipe)
    return (_UNPACK.format(place=PLACE, names=" ".join(sorted(names))),) if names else ()


def stage(recipe: Recipe, root: Path, tree: Path) -> Path:
    """Put the board's own files of the boot partition into `tree`. Raises `ImageError`."""
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    if firmware(recipe):
        trees = {str(path.relative_to(root)): path.name for path in root.glob(_TREES)}
        _copy(root / PLACE, _FIRMWARE, tree)
        _copy(root, trees or {_TREES: ""}, tree)
        (tree / "config.txt").write_text(_CONFIG)
    return tree


def _copy(directory: Path, files: Mapping[str, str], tree: Path) -> None:
    for name, short in files.items():
        if not (directory / name).is_file():
            raise ImageError(f"{directory} holds no {name}: has its package another form now?")
        shutil.copyfile(directory / name, tree / short)
