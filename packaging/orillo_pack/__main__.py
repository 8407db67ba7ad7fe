# SPDX-License-Identifier: Apache-2.0
"""`./dev build`: compile the appliance, and make of it what is handed out.

Exit status: 0 made (or still current), 1 something forbidden is included, 2 usage, 3 it failed.
"""

import argparse
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from appliance.built import architecture
from appliance.netcore.errors import DoorError
from orillo_build import stamp
from orillo_build.__main__ import main as compile_programs
from orillo_build.compiler import SOURCE, BuildError
from orillo_build.programs import PROGRAMS
from orillo_pack import operator
from orillo_pack.contents import components
from orillo_pack.debian import make_package
from orillo_pack.image import APPLIANCE, OPERATOR, make_image
from orillo_pack.papers import write as write_papers
from orillo_pack.release import make_release
from orillo_pack.wheel import make_wheel

_ARCHITECTURES = ("amd64", "arm64")


def main(argv: Sequence[str] | None = None) -> int:
    """Make what is asked for; the last line on standard output is the path of the last thing made."""
    here = architecture()
    parser = argparse.ArgumentParser(prog="./dev build", description="Compile the appliance, and pack it.")
    parser.add_argument(
        "--arch", choices=_ARCHITECTURES, default=here, help="for which machine; default: this one's"
    )
    parser.add_argument("--force", action="store_true", help="compile although nothing changed")
    parser.add_argument(
        "--jobs", type=int, default=0, help="compilers at once; default: as many as processors"
    )
    parser.add_argument(
        "--twice", action="store_true", help="compile in another place too, and compare the bytes"
    )
    parser.add_argument(
        "--onefile", action="store_true", help="the programs as one file too, which unpacks itself once"
    )
    parser.add_argument("--deb", action="store_true", help="the appliance's Debian package")
    parser.add_argument(
        "--cloud-deb", action="store_true", help="the operator's Debian package; compiles nothing"
    )
    parser.add_argument(
        "--image", action="store_true", help="the operator's container image (OCI); compiles nothing"
    )
    parser.add_argument(
        "--appliance-image", action="store_true", help="the appliance's container image, for the DaemonSets"
    )
    parser.add_argument("--wheel", action="store_true", help="a wheel with both programs; compiles nothing")
    parser.add_argument("--release", action="store_true", help="a release for `orillo update`; needs --key")
    parser.add_argument(
        "--key", type=Path, action="append", default=[], help="who signs it: a private key, PEM"
    )
    words = parser.parse_args(argv)
    if words.release and not words.key:
        parser.error("--release needs --key FILE: `openssl genpkey -algorithm ed25519` makes one")
    stamp.settle(SOURCE)
    try:
        made = _make(words)
    except (BuildError, DoorError, LookupError, OSError) as error:
        print(f"build: {error}", file=sys.stderr)
        return 3
    if isinstance(made, int):
        return made
    print(made)
    return 0


def _make(words: argparse.Namespace) -> Path | int:
    """The path of the last thing made, or the compiler's exit status."""
    out = SOURCE / "build" / words.arch
    if words.cloud_deb or words.image or words.wheel:
        return _operator(words, out)
    options = ["--arch", words.arch, *(["--force"] if words.force else [])]
    options += ["--jobs", str(words.jobs)] if words.jobs else []
    options += [f"--{name}" for name in ("twice", "onefile") if getattr(words, name)]
    status = compile_programs([*options, "--quiet"])
    if status:
        return status
    made: Path = out / ("orillo.run" if words.onefile else "orillo/orillo")
    if words.deb or words.release or words.appliance_image:
        papers = _papers(out)
    if words.deb or words.appliance_image:
        made = make_package(out / "orillo", out, version(), words.arch, stamp.epoch(), papers)
    if words.appliance_image:
        made = make_image(APPLIANCE, made, out, version(), words.arch, stamp.epoch())
    if words.release:
        made = make_release(
            out / "orillo",
            out,
            version=version(),
            architecture=words.arch,
            commit=stamp.commit(),
            epoch=stamp.epoch(),
            keys=words.key,
            papers=papers,
        )
    return made


def _operator(words: argparse.Namespace, out: Path) -> Path:
    """What of the operator is asked for; the path of the last thing made."""
    if words.arch != architecture():
        raise BuildError(f"the operator for {words.arch} is made on such a machine")
    out.mkdir(parents=True, exist_ok=True)
    if words.wheel:
        return make_wheel(out, stamp.epoch())
    papers = out / "papers-cloud"
    about = {"version": version(), "commit": stamp.commit()}
    write_papers(papers, operator.components(), name="orillo-cloud", epoch=stamp.epoch(), **about)
    package = operator.make_package(out, version(), words.arch, stamp.epoch(), papers)
    return (
        make_image(OPERATOR, package, out, version(), words.arch, stamp.epoch()) if words.image else package
    )


def _papers(out: Path) -> Path:
    """What is in the programs, and under which licences; the directory."""
    reports = [out / f"{program.name}.report.json" for program in PROGRAMS]
    found = components(reports, out / "orillo")
    place = out / "papers"
    write_papers(place, found, name="orillo", version=version(), commit=stamp.commit(), epoch=stamp.epoch())
    return place


def version() -> str:
    """Of the source."""
    return str(tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]["version"])


if __name__ == "__main__":
    sys.exit(main())
