# SPDX-License-Identifier: Apache-2.0
"""A minimal Debian 12 without Python, kept below the cache, and the compiled appliance in a copy of it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.lab.command import LabError, attempt
from tests.lab.product import Installation

_SUITE = "bookworm"
#: What the appliance drives; without them it has to say which one is missing.
DAEMONS = (
    "containernetworking-plugins",
    "iproute2",
    "libcharon-extra-plugins",
    "libstrongswan-standard-plugins",
    "nftables",
    "strongswan-charon",
    "strongswan-swanctl",
    "unbound",
)
# A mount namespace of the command's own: what is mounted here is gone with it. `$0` is the root.
_SCRIPT = """
set -e
mount -t proc proc "$0/proc"
for place in dev sys; do mount --rbind "/$place" "$0/$place"; done
exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin ${TERM:+TERM=$TERM} /usr/bin/orillo "$@"
"""


@dataclass(frozen=True)
class CleanRoot:
    """One root directory with the appliance in it."""

    path: Path

    @property
    def program(self) -> tuple[str, ...]:
        """The appliance in this root, as the first words of a command; of our environment it has TERM."""
        return ("unshare", "--mount", "--propagation", "private", "sh", "-c", _SCRIPT, str(self.path))

    def installation(self, namespace: str) -> Installation:
        """The appliance at its own place in this root."""
        return Installation(self.program, Path("/"), namespace)


def make_root(cache: Path, packages: tuple[str, ...], architecture: str = "") -> Path:
    """A Debian of its essential packages and these, made once; for this kind of machine or another."""
    kind = f"-{architecture}" if architecture else ""
    root = cache / f"debian12-{'with-daemons' if packages else 'bare'}{kind}"
    if not (root / "complete").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        include = (f"--include={','.join(packages)}",) if packages else ()
        machine = (f"--arch={architecture}",) if architecture else ()
        words = ("--variant=essential", "--mode=root", *machine, *include, _SUITE, str(root))
        made = attempt("mmdebstrap", *words, timeout=3600)
        if not made.ok:
            raise LabError(f"mmdebstrap could not make {root}: {made.text[-500:]}")
        (root / "complete").touch()
    return root


def install(root: Path, build: Path, place: Path) -> CleanRoot:
    """Copy `root` to `place` and put the compiled directory into it, where the package would."""
    shutil.copytree(root, place, symlinks=True, ignore=shutil.ignore_patterns("dev", "proc", "sys"))
    for name in ("dev", "proc", "sys"):
        (place / name).mkdir()
    shutil.copytree(build, place / "usr/lib/orillo", symlinks=True)
    (place / "usr/bin/orillo").symlink_to("../lib/orillo/orillo")
    return CleanRoot(place)
