# SPDX-License-Identifier: Apache-2.0
"""Update bundles for RAUC, and the keys that sign them.

A bundle holds the root alone: the kernel lies in it, and is copied to the boot partition at installation.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from orillo_image.recipe import Recipe
from orillo_image.tools import call


@dataclass(frozen=True)
class Keys:
    """A signing certificate with its key, and the certificate that devices check bundles against."""

    certificate: Path
    key: Path
    keyring: Path


def development_keys(directory: Path, epoch: int) -> Keys:
    """Keys for images that never leave the workshop, made once. Real ones are given by path."""
    keys = Keys(directory / "development.pem", directory / "development.key", directory / "development.pem")
    if not keys.key.exists():
        directory.mkdir(parents=True, exist_ok=True)
        subject = ("-subj", "/O=Orillo/CN=development images, not for use", "-days", "3650")
        kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        usage = (
            "-addext",
            "keyUsage=critical,digitalSignature,keyCertSign",
            "-addext",
            "extendedKeyUsage=emailProtection",
        )
        call(
            [
                "openssl",
                "req",
                "-x509",
                *kind,
                *subject,
                *usage,
                "-keyout",
                keys.key,
                "-out",
                keys.certificate,
            ],
            epoch=epoch,
        )
        keys.key.chmod(0o600)
    return keys


def system_conf(recipe: Recipe) -> str:
    """RAUC's settings for the image's two roots (rauc: system.conf)."""
    slots = "\n".join(
        f"[slot.rootfs.{number}]\ndevice=/dev/disk/by-partlabel/root-{slot}\ntype=raw\nbootname={slot}\n"
        for number, slot in enumerate("ab")
    )
    return f"""[system]
compatible={recipe.compatible}
bootloader=custom
bundle-formats=verity
statusfile=/var/lib/rauc/status
data-directory=/var/lib/rauc

[handlers]
bootloader-custom-backend=/usr/lib/orillo-image/bootloader

[keyring]
path=/etc/rauc/keyring.pem

{slots}"""


def make_bundle(recipe: Recipe, squashfs: Path, keys: Keys, out: Path, work: Path) -> Path:
    """Sign the root as a bundle that can be streamed (`verity`), with block hashes for deltas."""
    tree = work / "bundle"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    (tree / "rootfs.img").hardlink_to(squashfs)
    (tree / "manifest.raucm").write_text(
        f"""[update]
compatible={recipe.compatible}
version={recipe.version}

[bundle]
format=verity

[image.rootfs]
filename=rootfs.img
adaptive=block-hash-index
"""
    )
    out.unlink(missing_ok=True)
    signing = (f"--cert={keys.certificate}", f"--key={keys.key}", f"--keyring={keys.keyring}")
    call(["rauc", *signing, "bundle", tree, out], epoch=recipe.epoch)
    shutil.rmtree(tree)
    return out
