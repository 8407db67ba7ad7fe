# SPDX-License-Identifier: Apache-2.0
"""`./dev image`: make a disk image and its update bundle.

Exit status: 0 made, 2 usage, 3 it can't be made.
"""

import argparse
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from orillo_build import stamp
from orillo_build.compiler import SOURCE
from orillo_image.bill import bill
from orillo_image.board import stage
from orillo_image.bundle import Keys, development_keys, make_bundle, system_conf
from orillo_image.disk import make_disk, make_parts, make_squashfs, options
from orillo_image.manifest import installed, manifest
from orillo_image.recipe import ARCHITECTURES, BOARDS, KERNELS, Recipe, kernel_for
from orillo_image.root import make_root, slim
from orillo_image.tools import ImageError, call, need_tools
from orillo_pack.__main__ import version

_Made = TypeVar("_Made")


def main(argv: Sequence[str] | None = None) -> int:
    """Make the image; the last line on standard output is its path."""
    words = _parser().parse_args(argv)
    stamp.settle(SOURCE)
    try:
        need_tools()
        recipe = Recipe(
            words.arch,
            words.board,
            kernel_for(words.board, words.arch, words.kernel),
            words.containers,
            words.deb,
            words.version or version(),
            stamp.epoch(),
        )
        print(make(recipe, words))
    except (ImageError, OSError) as error:
        print(f"image: {error}", file=sys.stderr)
        return 3
    return 0


def make(recipe: Recipe, words: argparse.Namespace) -> Path:
    """All files of one image, in the output directory; the path of the disk."""
    out: Path = words.out or SOURCE / "build/image"
    work = out / f"work-{recipe.compatible}"
    work.mkdir(parents=True, exist_ok=True)
    keys = (
        Keys(words.cert, words.key, words.keyring)
        if words.key
        else development_keys(out / "development-keys", recipe.epoch)
    )
    name = f"{recipe.compatible}-{recipe.version}"
    root = _timed("root file system", lambda: make_root(recipe, _cache(), work))
    (root / "etc/rauc").mkdir(exist_ok=True)
    (root / "etc/rauc/system.conf").write_text(system_conf(recipe))
    shutil.copyfile(keys.keyring, root / "etc/rauc/keyring.pem")
    # Who installs this system makes its boot entry, with these options and not those of the one before.
    (root / "usr/lib/orillo-image/options").write_text(options(recipe, "a") + "\n")
    (root / "etc/orillo-image").write_text(f"{recipe.compatible} {recipe.version}\n")
    _tell(recipe, root, out / name)
    board = stage(recipe, root, work / "board")
    slim(root, recipe.epoch)
    squashfs = _timed("squashfs", lambda: make_squashfs(recipe, root, work / "root.squashfs"))
    parts = make_parts(recipe, root, squashfs, board, work)
    disk = _timed("disk", lambda: make_disk(recipe, parts, out / f"{name}.img", work))
    _timed("bundle", lambda: make_bundle(recipe, squashfs, keys, out / f"{name}.raucb", work))
    _timed("compression", lambda: compress(disk, keys, recipe.epoch))
    return disk


def _tell(recipe: Recipe, root: Path, beside: Path) -> None:
    """Manifest and bill of materials: in the image, and beside it."""
    packages = installed(recipe, root)
    papers = {
        "manifest.json": manifest(recipe, packages),
        "sbom.cdx.json": bill(recipe, packages, root / "usr/share/doc/orillo/sbom.cdx.json"),
    }
    place = root / "usr/share/orillo-image"
    place.mkdir(exist_ok=True)
    for name, text in papers.items():
        (place / name).write_text(text)
        beside.with_name(f"{beside.name}.{name}").write_text(text)


def compress(disk: Path, keys: Keys, epoch: int) -> Path:
    """The image to hand out: `.zst`, with its SHA-256 and a signature (CMS, detached) beside it."""
    packed = disk.with_suffix(".img.zst")
    call(["zstd", "-q", "-f", "-T0", "-10", "--long=27", disk, "-o", packed], epoch=epoch)
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    packed.with_suffix(".zst.sha256").write_text(f"{digest}  {packed.name}\n")
    signing = ("-sign", "-binary", "-outform", "PEM", "-signer", keys.certificate, "-inkey", keys.key)
    call(["openssl", "cms", *signing, "-in", packed, "-out", packed.with_suffix(".zst.sig")], epoch=epoch)
    return packed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev image", description="Make a disk image and its update bundle."
    )
    parser.add_argument("--arch", choices=ARCHITECTURES, default="amd64")
    parser.add_argument("--board", choices=BOARDS, default="generic-uefi")
    parser.add_argument(
        "--kernel", choices=KERNELS, help="Debian's cloud kernel, or the full one, which a Pi always gets"
    )
    parser.add_argument("--containers", action="store_true", help="with containerd, for KubeEdge")
    parser.add_argument(
        "--deb", type=Path, required=True, help="our package; ./dev image builds it if not given"
    )
    parser.add_argument("--version", help="of the image; by default that of the source")
    parser.add_argument("--out", type=Path, help="where the files go; build/image by default")
    parser.add_argument("--cert", type=Path, help="certificate that signs; by default one for development")
    parser.add_argument("--key", type=Path, help="its key")
    parser.add_argument("--keyring", type=Path, help="certificate that devices check bundles against")
    return parser


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orillo/images"


def _timed(what: str, do: Callable[[], _Made]) -> _Made:
    started = time.monotonic()
    result = do()
    print(f"image: {what} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
