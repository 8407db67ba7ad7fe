# SPDX-License-Identifier: Apache-2.0
"""The Debian package: the compiled directory, units and settings, put into a tree for dpkg-deb(1)."""

import gzip
import shutil
import subprocess
from pathlib import Path

from orillo_build.compiler import SOURCE, BuildError
from orillo_pack.commands import programs
from orillo_pack.completions import bash, fish, zsh
from orillo_pack.manual import page

_PARTS = SOURCE / "packaging/debian"
_UNITS = (
    "orillo.service",
    "orillo-charon.service",
    "orillo-dns.service",
    "orillo-update.service",
    "orillo-update.path",
)
_SCRIPTS = ("postinst", "prerm", "postrm")
#: charon without its starter, whose ipsec.conf we do not use; the floor of libc6 is that of the build.
DEPENDS = (
    "libc6 (>= 2.36)",
    "strongswan-charon",
    "strongswan-swanctl",
    "libstrongswan-standard-plugins",
    "libcharon-extra-plugins",
    "nftables",
    "unbound",
    "containernetworking-plugins",
    "iproute2",
    # CNI's portmap drives it.
    "iptables",
    "util-linux",
    # Not of util-linux: a root of essential packages alone has none, and charon's /run is mounted.
    "mount",
)
#: To fetch releases over HTTPS, and for what `doctor` asks beside the kernel.
RECOMMENDS = ("ca-certificates", "conntrack", "iputils-ping")


def make_package(
    directory: Path,
    out: Path,
    version: str,
    architecture: str,
    epoch: int,
    papers: Path | None = None,
    compression: tuple[str, ...] = ("-Zxz",),
) -> Path:
    """Build `orillo_VERSION_ARCH.deb` in `out` of the compiled `directory`; returns its path.

    `epoch` is the time of every file in it, in seconds since 1970: the same input gives the same package.
    `papers` is a directory with what goes with the programs; `compression` is for dpkg-deb(1).
    """
    tree = out / "deb"
    shutil.rmtree(tree, ignore_errors=True)
    _fill(tree, directory)
    describe(tree, "orillo", version, epoch, papers)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(control(version, architecture, _kibibytes(tree)))
    (tree / "DEBIAN/conffiles").write_text(_conffiles())
    for script in _SCRIPTS:
        put(_PARTS / script, tree / "DEBIAN" / script, 0o755)
    return pack(tree, out / f"orillo_{version}_{architecture}.deb", epoch, compression)


def pack(tree: Path, package: Path, epoch: int, compression: tuple[str, ...] = ("-Zxz",)) -> Path:
    """Make the package of a tree. Raises `BuildError`."""
    done = subprocess.run(
        ["dpkg-deb", "--root-owner-group", *compression, "--build", str(tree), str(package)],
        env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": str(epoch)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"dpkg-deb could not build {package}: {done.stderr.strip()}")
    return package


def control(version: str, architecture: str, size: int) -> str:
    """The package's control file (deb-control(5)); `size` in KiB."""
    return f"""Package: orillo
Version: {version}
Architecture: {architecture}
Maintainer: The Orillo authors <orillo@localhost>
Installed-Size: {size}
Depends: {", ".join(DEPENDS)}
Recommends: {", ".join(RECOMMENDS)}
Section: net
Priority: optional
Description: network edge of a Kubernetes fabric, as an appliance
 A gateway enrols with a token, pulls a signed plan, and from then on runs its site's
 network by itself: IPsec, CNI, routes, firewall, services and names, online or not.
"""


def _fill(tree: Path, directory: Path) -> None:
    shutil.copytree(directory, tree / "usr/lib/orillo")
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/orillo").symlink_to("../lib/orillo/orillo-launch")
    put(_PARTS / "orillo-launch", tree / "usr/lib/orillo/orillo-launch", 0o755)
    for key in sorted((SOURCE / "packaging/release-keys").glob("*.pem")):
        put(key, tree / "usr/lib/orillo/release-keys" / key.name)
    put(_PARTS / "orillo.tmpfiles", tree / "usr/lib/tmpfiles.d/orillo.conf")
    for unit in _UNITS:
        put(_PARTS / unit, tree / "usr/lib/systemd/system" / unit)
    put(_PARTS / "orillo-networkd.conf", tree / "usr/lib/systemd/networkd.conf.d/orillo.conf")
    put(_PARTS / "orillo.toml", tree / "etc/orillo/orillo.toml")
    for profile in sorted((_PARTS / "apparmor").iterdir()):
        put(profile, tree / "etc/apparmor.d/orillo" / profile.name)
    for place in ("etc/cni/net.d", "etc/orillo/release-keys"):
        (tree / place).mkdir(parents=True)


def describe(tree: Path, name: str, version: str, epoch: int, papers: Path | None) -> None:
    """Manual, completions, licence and papers of one program."""
    program = next(one for one in programs() if one.words == (name,))
    _zip(page(program, version, epoch).encode(), tree / f"usr/share/man/man8/{name}.8.gz")
    shells = {
        f"bash-completion/completions/{name}": bash(program),
        f"zsh/vendor-completions/_{name}": zsh(program),
        f"fish/vendor_completions.d/{name}.fish": fish(program),
    }
    for place, text in shells.items():
        _write(text, tree / "usr/share" / place)
    docs = tree / f"usr/share/doc/{name}"
    put(SOURCE / "LICENSE", docs / "copyright")
    _zip((SOURCE / "CHANGES.md").read_bytes(), docs / "changelog.gz")
    for paper in sorted(papers.iterdir()) if papers else ():
        put(paper, docs / paper.name)


def _zip(data: bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # No time in it: the same text gives the same file.
    target.write_bytes(gzip.compress(data, mtime=0))


def _write(text: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def _conffiles() -> str:
    profiles = sorted(path.name for path in (_PARTS / "apparmor").iterdir())
    return "".join(
        f"{path}\n"
        for path in ("/etc/orillo/orillo.toml", *(f"/etc/apparmor.d/orillo/{p}" for p in profiles))
    )


def put(source: Path, target: Path, mode: int = 0o644) -> None:
    """Copy one file into a tree, with this mode."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _kibibytes(tree: Path) -> int:
    return sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) // 1024
