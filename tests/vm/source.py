# SPDX-License-Identifier: Apache-2.0
"""The appliance from this tree instead of a package: quicker to come by than a compiled one, for development.

Debian's own Python of this host goes along, since the machines have none and the same C library.
"""

import compileall
import shutil
import sysconfig
from pathlib import Path

from tests.lab.process import SOURCE

_PYTHON = Path("/usr/bin/python3.11")
_LIBRARY = Path("/usr/lib/python3.11")
#: Of the environment, what the daemon imports.
_PACKAGES = (
    "*__mypyc*",
    "_cffi_backend*",
    "anyio*",
    "certifi*",
    "cffi*",
    "cryptography*",
    "h11*",
    "httpcore*",
    "httpx*",
    "idna*",
    "msgspec*",
    "pyroute2*",
    "tomli*",
    "typing_extensions*",
    "vici*",
)
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "dist-packages", "ensurepip", "idlelib", "test", "tests")
_COMMAND = """#!/bin/sh
here=/usr/lib/orillo
export PYTHONHOME=$here/python PYTHONPATH=$here/packages
exec $here/python/bin/python3.11 -B -s -m appliance.cli.main "$@"
"""


def lay_out(tree: Path) -> None:
    """Make `tree` hold what the package would: the command, the launcher and the units."""
    place = tree / "usr/lib/orillo"
    (place / "python/bin").mkdir(parents=True)
    shutil.copy(_PYTHON, place / "python/bin")
    shutil.copytree(_LIBRARY, place / "python/lib/python3.11", ignore=_LEFT_OUT)
    packages = place / "packages"
    packages.mkdir()
    site = Path(sysconfig.get_path("platlib"))
    for found in (path for pattern in _PACKAGES for path in site.glob(pattern)):
        if found.is_dir():
            shutil.copytree(found, packages / found.name, ignore=_LEFT_OUT)
        else:
            shutil.copy(found, packages)
    shutil.copytree(SOURCE / "appliance", packages / "appliance", ignore=_LEFT_OUT)
    compileall.compile_dir(place, quiet=2, workers=1)
    (place / "orillo").write_text(_COMMAND)
    shutil.copy(SOURCE / "packaging/debian/orillo-launch", place)
    for program in ("orillo", "orillo-launch"):
        (place / program).chmod(0o755)
    (tree / "usr/bin").mkdir()
    (tree / "usr/bin/orillo").symlink_to("../lib/orillo/orillo")
    units = tree / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for unit in (SOURCE / "packaging/debian").glob("*.service"):
        shutil.copy(unit, units)
    (tree / "etc/cni/net.d").mkdir(parents=True)
