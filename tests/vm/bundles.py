# SPDX-License-Identifier: Apache-2.0
"""Update bundles for a card: the image's own root with another version, or with something broken in it."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from orillo_image.bundle import Keys, make_bundle
from orillo_image.recipe import Recipe
from tests.lab.command import run

#: What can be broken in a system: our program, and what the kernel starts first.
AGENT, INIT = "usr/lib/orillo/orillo", "usr/lib/systemd/systemd"
#: A program that ends at once, in place of another.
CRASHES = "#!/bin/sh\nexit 1\n"


def keys_of(image: Path) -> Keys:
    """The development keys beside the image."""
    directory = image.parent / "development-keys"
    pem = directory / "development.pem"
    return Keys(pem, directory / "development.key", pem)


def other_keys(directory: Path) -> Keys:
    """Keys that no device trusts."""
    directory.mkdir(parents=True)
    pem, key = directory / "foreign.pem", directory / "foreign.key"
    kind = (
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=foreign",
    )
    run("openssl", "req", "-x509", *kind, "-keyout", str(key), "-out", str(pem))
    return Keys(pem, key, pem)


def bundle(
    image: Path,
    arch: str,
    version: str,
    work: Path,
    *,
    keys: Keys | None = None,
    broken: Mapping[str, str] = MappingProxyType({}),
    packing: tuple[str, ...] = ("lz4",),
) -> Path:
    """A bundle of the image's root, called `version`, with scripts in place of the programs in `broken`.

    With another `packing` (mksquashfs(1), -comp) no block of it is one that a card has already.
    """
    recipe = Recipe(arch, "generic-uefi", "cloud", containers=False, deb=image, version=version, epoch=1)
    squashfs = image.parent / f"work-{recipe.compatible}/root.squashfs"
    work.mkdir(parents=True, exist_ok=True)
    root = work / "root.squashfs"
    shutil.copyfile(squashfs, root)
    _overlay(root, work / "overlay", version, broken, packing)
    return make_bundle(
        replace(recipe, version=version), root, keys or keys_of(image), work / f"{version}.raucb", work
    )


def _overlay(
    root: Path, tree: Path, version: str, broken: Mapping[str, str], packing: tuple[str, ...]
) -> None:
    """Change a few files of a squashfs: it is taken apart and put together, quickly rather than small."""
    shutil.rmtree(tree, ignore_errors=True)
    run("unsquashfs", "-q", "-n", "-d", str(tree), str(root), timeout=600)
    (tree / "etc/orillo-image").write_text(f"orillo {version}\n")
    for name, script in broken.items():
        program = tree / name
        program.unlink()
        program.write_text(script)
        program.chmod(0o755)
    root.unlink()
    options = ("-comp", *packing, "-noappend", "-quiet", "-no-progress")
    run("mksquashfs", str(tree), str(root), *options, timeout=900)
    shutil.rmtree(tree)
