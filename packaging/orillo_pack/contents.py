# SPDX-License-Identifier: Apache-2.0
"""What of others is in the programs: by the compiler's report, the lock file, and Debian's own lists."""

import hashlib
import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path
from typing import Any

from cryptography.hazmat.backends.openssl.backend import backend

from orillo_build.compiler import SOURCE, BuildError

#: Modules that are ours, or the program's own entry.
_OURS = frozenset({"appliance", "cloud", "__main__", "orillo", "orillo_tui"})
_DEBIAN_DOCS = Path("/usr/share/doc")
_LIBRARY = re.compile(r"lib[\w+-]+\.so(\.\d+)*")
_LICENCE_FILE = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|AUTHORS)", re.IGNORECASE)


@dataclass(frozen=True)
class Component:
    """One thing of others. `licence` is an SPDX expression, or a name; `texts` are files with its words.

    `kind` is `pypi`, `deb` or `generic`, as in a package URL; `sha256` of the file, where it is one.
    """

    name: str
    version: str
    kind: str
    licence: str
    texts: tuple[Path, ...] = ()
    sha256: str = ""
    note: str = ""

    @property
    def purl(self) -> str:
        """https://github.com/package-url/purl-spec"""
        space = "debian/" if self.kind == "deb" else ""
        return f"pkg:{self.kind}/{space}{self.name}@{self.version.replace('+', '%2B')}"


def components(reports: Sequence[Path], built: Path) -> tuple[Component, ...]:
    """All that the programs hold, by name. Raises `BuildError` for what nobody can tell the origin of."""
    found = {one.name: one for one in (*_python(reports), *_libraries(built), *_always())}
    return tuple(found[name] for name in sorted(found))


def pins(lock: str) -> dict[str, str]:
    """Versions by name, of a lock file."""
    return {
        name.lower(): version for name, version in re.findall(r"^([\w.-]+)==([^\s\\;]+)", lock, re.MULTILINE)
    }


def _python(reports: Sequence[Path]) -> Iterator[Component]:
    modules = {name.partition(".")[0] for path in reports for name in json.loads(path.read_text())["modules"]}
    owners = packages_distributions()
    locked = pins((SOURCE / "requirements.lock").read_text())
    for module in sorted(modules - _OURS):
        if module in sys.stdlib_module_names or "-" in module:
            continue
        if module not in owners:
            raise BuildError(f"nobody knows where the module {module} in the programs is from")
        for owner in owners[module]:
            one = distribution(owner)
            if locked.get(owner.lower().replace("_", "-")) != one.version:
                raise BuildError(
                    f"{owner} {one.version} is in the programs, and another one in the lock file"
                )
            yield Component(owner.lower(), one.version, "pypi", licence(one), texts(one))
            if owner == "cryptography":
                yield _openssl_of_cryptography(one)


def licence(one: Distribution) -> str:
    """As the package itself says it."""
    # A mapping of header lines, of which the type knows less than there is.
    fields: Any = one.metadata
    expression = fields.get("License-Expression")
    classifiers = [line for line in fields.get_all("Classifier") or [] if line.startswith("License ::")]
    short = (fields.get("License") or "").strip()
    return (
        expression
        or (short if short and "\n" not in short else "")
        or (classifiers[0].rpartition(":: ")[2] if classifiers else "see its text")
    )


def texts(one: Distribution) -> tuple[Path, ...]:
    """The files of its licence that came with it."""
    listed = [
        file for file in one.files or () if ".dist-info" in str(file) and _LICENCE_FILE.search(file.name)
    ]
    return tuple(path for path in (Path(str(file.locate())) for file in sorted(listed)) if path.is_file())


def _openssl_of_cryptography(one: Distribution) -> Component:
    version = backend.openssl_version_text().split()[1]
    note = "linked into cryptography's own library"
    return Component("openssl", version, "generic", "Apache-2.0", texts(one)[:1], note=note)


def _libraries(built: Path) -> Iterator[Component]:
    for path in sorted(built.iterdir()):
        if _LIBRARY.fullmatch(path.name):
            package, version = _debian_owner(path.name)
            copyright_file = _DEBIAN_DOCS / package / "copyright"
            yield Component(
                package,
                version,
                "deb",
                "see its text",
                (copyright_file,) if copyright_file.is_file() else (),
                hashlib.sha256(path.read_bytes()).hexdigest(),
                path.name,
            )


def _debian_owner(library: str) -> tuple[str, str]:
    """The Debian package that a shared library was copied from, with its version."""
    said = _dpkg("dpkg-query", "--search", f"*/{library}").splitlines()
    names = sorted({line.partition(":")[0] for line in said if line.endswith(f"/{library}")})
    if not names:
        raise BuildError(f"no Debian package here has {library}, which is in the programs")
    return names[0], _dpkg("dpkg-query", "--show", "--showformat=${Version}\n", names[0]).split()[0]


def _dpkg(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"`{' '.join(words)}`: {done.stderr.strip()}")
    return done.stdout


def _always() -> Iterator[Component]:
    """The interpreter, and what the compiler adds of its own."""
    python = _DEBIAN_DOCS / "libpython3.11-minimal/copyright"
    yield Component(
        "python",
        platform.python_version(),
        "generic",
        "Python-2.0",
        (python,) if python.is_file() else (),
        note="interpreter and standard library, of Debian",
    )
    nuitka = distribution("nuitka")
    runtime = tuple(path for path in texts(nuitka) if path.name != "LICENSE.txt")
    yield Component(
        "nuitka",
        nuitka.version,
        "pypi",
        f"{licence(nuitka)} with its runtime exception",
        runtime,
        note="the compiler's runtime alone; the compiler is not in the programs",
    )
