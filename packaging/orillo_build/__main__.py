# SPDX-License-Identifier: Apache-2.0
"""`./dev build`: compile the appliance's programs into one directory, and say what is in it.

Exit status: 0 built (or still current), 1 something forbidden is included, 2 usage, 3 the build failed.
"""

import argparse
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance.built import architecture
from orillo_build import foreign, stamp
from orillo_build.compiler import SOURCE, BuildError, compile_program
from orillo_build.inclusions import forbidden, read_report, summary
from orillo_build.onefile import make_one_file
from orillo_build.programs import PROGRAMS, Program
from orillo_build.twice import build_again, differences

_ARCHITECTURES = ("amd64", "arm64")
_STAMP = "source.sha256"


class ForbiddenError(Exception):
    """Something is in a program that must not be."""


def main(argv: Sequence[str] | None = None) -> int:
    """Build what is not current; the last line on standard output is the path of the result."""
    here = architecture()
    parser = argparse.ArgumentParser(prog="./dev build", description="Compile the appliance.")
    parser.add_argument(
        "--arch", choices=_ARCHITECTURES, default=here, help="for which machine; default: this one's"
    )
    parser.add_argument("--force", action="store_true", help="build although nothing changed")
    parser.add_argument("--twice", action="store_true", help="in another place too, and compare the bytes")
    parser.add_argument("--onefile", action="store_true", help="one file too, and print its path")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="compilers at once")
    parser.add_argument("--quiet", action="store_true", help="print no path")
    words = parser.parse_args(argv)
    out = SOURCE / "build" / words.arch
    stamp.settle(SOURCE)
    try:
        if words.force or not is_current(out):
            if words.arch == here:
                build(out, words.jobs)
            else:
                foreign.build(words.arch, _cache(), ("--force", "--jobs", str(words.jobs)))
        if words.twice and not _again(out, words.arch, words.jobs):
            return 1
    except ForbiddenError as error:
        print(f"build: {error}", file=sys.stderr)
        return 1
    except (BuildError, LookupError, OSError) as error:
        print(f"build: {error}", file=sys.stderr)
        return 3
    result = out / "orillo" / PROGRAMS[0].name
    if words.onefile:
        result = make_one_file(out / "orillo", out / "orillo.run", stamp.epoch())
    if not words.quiet:
        print(result)
    return 0


def build(out: Path, jobs: int) -> None:
    """Compile all programs, check them, and only then put them in the place of the ones before."""
    source = digest()
    work = out / "work"
    fresh = out / "orillo.new"
    shutil.rmtree(fresh, ignore_errors=True)
    for program in PROGRAMS:
        started = time.monotonic()
        _say(f"compiling {program.name}")
        directory, report = compile_program(program, work, _cache(), jobs)
        _check(program, directory, report, out)
        shutil.copytree(directory, fresh, dirs_exist_ok=True)
        _say(f"{program.name}: {_megabytes(directory):.1f} MB in {time.monotonic() - started:.0f} s")
    _replace(fresh, out / "orillo")
    (out / _STAMP).write_text(source)


def is_current(out: Path) -> bool:
    """Whether what was built was built of this source."""
    of = out / _STAMP
    return of.exists() and (out / "orillo").is_dir() and of.read_text() == digest()


def digest() -> str:
    """Of all that a build depends on."""
    found = hashlib.sha256()
    for path in sorted(_sources()):
        found.update(f"{path.relative_to(SOURCE)}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def _sources() -> Iterator[Path]:
    yield SOURCE / "requirements.lock"
    for room in ("appliance", "packaging/orillo_build"):
        for path in (SOURCE / room).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _again(out: Path, architecture: str, jobs: int) -> bool:
    """Build once more elsewhere; whether all bytes are the same."""
    found: list[str] = []
    build_again(SOURCE, architecture, jobs, lambda other: found.extend(differences(out / "orillo", other)))
    for line in found:
        _say(f"differs: {line}")
    if not found:
        _say("built twice, in two places: the same bytes")
    return not found


def _check(program: Program, directory: Path, report: Path, out: Path) -> None:
    modules = read_report(report)
    (out / f"{program.name}.report.json").write_text(summary(program, modules, directory))
    wrong = forbidden(program, modules)
    if wrong:
        lines = [f"  {module.name}, for {', '.join(module.wanted_by[:3])}" for module in wrong]
        raise ForbiddenError(f"{program.name} holds what it must not:\n" + "\n".join(lines))


def _replace(fresh: Path, final: Path) -> None:
    """Two renames, so that a program that runs from it keeps its files."""
    before = final.with_name("orillo.old")
    shutil.rmtree(before, ignore_errors=True)
    if final.exists():
        final.rename(before)
    fresh.rename(final)
    shutil.rmtree(before, ignore_errors=True)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orillo"


def _megabytes(directory: Path) -> float:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()) / 1e6


def _say(text: str) -> None:
    print(f"build: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
