# SPDX-License-Identifier: Apache-2.0
"""What a machine starts from: its RAM disk, its kernel, its first modules."""

import gzip
import struct
from pathlib import Path

import pytest

from tests.lab.command import LabError
from tests.vm.cpio import archive
from tests.vm.kernel import first_modules, uncompressed


def test_the_archive_has_directories_before_files_and_an_end() -> None:
    data = archive({"init": b"#!", "bin/busybox": b"x" * 5})
    assert len(data) % 4 == 0
    names = [data.index(name) for name in (b"bin\0", b"init\0", b"bin/busybox\0", b"TRAILER!!!\0")]
    assert names == sorted(names)
    size = int(data[names[2] - 110 :][54:62], 16)
    assert (data[:6], size) == (b"070701", 5)


def image(packed: bytes) -> bytes:
    """The shape of an x86 kernel image, with one sector of setup."""
    setup = bytearray(1024)
    setup[0x1F1] = 1
    struct.pack_into("<II", setup, 0x248, 16, len(packed))
    return bytes(setup) + b"\0" * 16 + packed + b"behind it"


def test_a_kernel_is_unpacked_from_where_its_header_says() -> None:
    kernel = b"\x7fELF and so on"
    assert uncompressed(image(gzip.compress(kernel, mtime=0))) == kernel
    with pytest.raises(LabError, match="in a way"):
        uncompressed(image(b"whatever"))


def test_modules_come_after_what_they_need(tmp_path: Path) -> None:
    (tmp_path / "modules.dep").write_text(
        "k/virtio_blk.ko:\nk/virtio_pci.ko: k/virtio_pci_modern_dev.ko k/virtio.ko\nk/overlay.ko:\n"
        "k/virtio.ko:\nk/virtio_pci_modern_dev.ko: k/virtio.ko\n"
    )
    order = [path.name.partition(".")[0] for path in first_modules(tmp_path)]
    assert order == ["virtio", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk", "overlay"]
