# SPDX-License-Identifier: Apache-2.0
"""The operator, not compiled: its modules, and the packages that it needs as the lock file pins them.

All of it stands in one directory of its own, so that it meets neither Debian's packages nor anybody else's.
"""

import shutil
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

from orillo_build import stamp
from orillo_build.compiler import SOURCE, BuildError
from orillo_pack.contents import Component, licence, texts
from orillo_pack.debian import describe, pack, put

HOME = Path("usr/lib/orillo-cloud")
#: What the operator's code imports; what these need comes with them.
_NEEDS = ("aiohttp", "cryptography", "httpx", "msgspec", "pyyaml", "uvloop")
#: Of the appliance it has the plan, and what a version is.
_SHARED = ("__init__.py", "built.py", "netcore/__init__.py", "netcore/errors.py", "netcore/plan")
_PARTS = SOURCE / "packaging/debian-cloud"
_SCRIPTS = ("postinst", "prerm", "postrm")
#: Isolated: no variable, and no package of anybody else's, gets in.
_COMMAND = f"""#!/usr/bin/python3 -IS
# SPDX-License-Identifier: Apache-2.0
import sys

sys.path.insert(0, "/{HOME}")
from cloud.cli.main import main

sys.exit(main())
"""


def distributions() -> tuple[Distribution, ...]:
    """What the operator needs, and what that needs, as it is in this environment."""
    found: dict[str, Distribution] = {}
    wanted = list(_NEEDS)
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError as error:
            raise BuildError(f"{name} is not in this environment: make it anew, by the lock file") from error
        needs = map(Requirement, found[name].requires or ())
        wanted += [one.name for one in needs if one.marker is None or one.marker.evaluate({"extra": ""})]
    return tuple(found[name] for name in sorted(found))


def fill(tree: Path) -> None:
    """Put the operator into a tree: its code, what it needs, and its command."""
    home = tree / HOME
    for name in ("cloud", *(f"appliance/{part}" for part in _SHARED)):
        _copy(SOURCE / name, home / name)
    built = home / "appliance/built.py"
    built.write_text(stamp.stamped(built.read_text()))
    for source, target in _foreign():
        _copy(source, home / target)
    command = tree / "usr/bin/orillo-cloud"
    command.parent.mkdir(parents=True)
    command.write_text(_COMMAND)
    command.chmod(0o755)


def components() -> tuple[Component, ...]:
    """What of others is in it."""
    return tuple(
        Component(one.metadata["Name"].lower(), one.version, "pypi", licence(one), texts(one))
        for one in distributions()
    )


def make_package(
    out: Path,
    version: str,
    architecture: str,
    epoch: int,
    papers: Path,
    compression: tuple[str, ...] = ("-Zxz",),
) -> Path:
    """Build `orillo-cloud_VERSION_ARCH.deb` in `out`; returns its path. `compression` is for dpkg-deb(1)."""
    tree = out / "deb-cloud"
    shutil.rmtree(tree, ignore_errors=True)
    fill(tree)
    describe(tree, "orillo-cloud", version, epoch, papers)
    put(_PARTS / "orillo-cloud.service", tree / "usr/lib/systemd/system/orillo-cloud.service")
    (tree / "etc/orillo").mkdir(parents=True)
    (tree / "DEBIAN").mkdir()
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) // 1024
    (tree / "DEBIAN/control").write_text(control(version, architecture, size))
    for script in _SCRIPTS:
        put(_PARTS / script, tree / "DEBIAN" / script, 0o755)
    return pack(tree, out / f"orillo-cloud_{version}_{architecture}.deb", epoch, compression)


def control(version: str, architecture: str, size: int) -> str:
    """The package's control file (deb-control(5)); `size` in KiB. Its libraries are for Python 3.11."""
    return f"""Package: orillo-cloud
Version: {version}
Architecture: {architecture}
Maintainer: The Orillo authors <orillo@localhost>
Installed-Size: {size}
Depends: python3 (>= 3.11), python3 (<< 3.12), adduser
Section: net
Priority: optional
Description: operator of an Orillo fabric
 Turns inventory and intent, which are Kubernetes manifests, into one signed plan for each
 device, and hands these out over HTTPS.
"""


def _foreign() -> Iterator[tuple[Path, Path]]:
    for one in distributions():
        for file in one.files or ():
            if ".." not in file.parts and file.suffix not in {".pyc", ".pyi"} and "tests" not in file.parts:
                yield Path(str(file.locate())), Path(*file.parts)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    elif source.exists():
        shutil.copy(source, target)
