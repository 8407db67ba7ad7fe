# SPDX-License-Identifier: Apache-2.0
"""Debian's kernel as QEMU starts it quickest, and the modules that lead to the root file system."""

import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.lab.command import LabError

#: Until the root file system is there; udev loads the rest.
_FIRST = ("virtio_pci", "virtio_blk", "squashfs", "overlay", "ext4")
#: How a kernel is packed, by its first bytes. What follows the packed data but in gzip's is its length.
_UNPACK = {
    b"\x02!L\x18": ("lz4", "-dcq"),
    b"\xfd7zX": ("xz", "-dcq"),
    b"\x28\xb5\x2f\xfd": ("zstd", "-dcq"),
    b"\x1f\x8b\x08\0": ("gzip", "-dcq"),
}
_ELF = b"\x7fELF"


def uncompressed(image: bytes) -> bytes:
    """The `vmlinux` in an x86 `vmlinuz`: it starts through PVH, and nothing is unpacked by the emulation.

    https://docs.kernel.org/arch/x86/boot.html has the header's fields: setup_sects, payload_offset and
    payload_length.
    """
    sectors = image[0x1F1]
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (sectors + 1) * 512 + offset
    packed = image[start : start + length]
    command = _UNPACK.get(packed[:4])
    if command is None:
        raise LabError("this kernel is packed in a way that we don't know")
    if command[0] != "gzip":
        packed = packed[:-4]
    kernel = subprocess.run(command, input=packed, capture_output=True, check=False).stdout
    if not kernel.startswith(_ELF):
        raise LabError(f"{command[0]} could not unpack the kernel")
    return kernel


def first_modules(directory: Path) -> list[Path]:
    """The modules that the initial RAM disk loads, in that order; what is built in needs none."""
    needs = dict(_dependencies(directory / "modules.dep"))
    by_name = {Path(path).name.partition(".")[0].replace("-", "_"): path for path in needs}
    order: dict[str, None] = {}
    for name in _FIRST:
        path = by_name.get(name)
        if path is not None:
            # The last one named is needed by those before it.
            order.update(dict.fromkeys([*reversed(needs[path]), path]))
    return [directory / path for path in order]


def _dependencies(listing: Path) -> Iterator[tuple[str, list[str]]]:
    for line in listing.read_text().splitlines():
        path, _, needed = line.partition(":")
        yield path, needed.split()
