# SPDX-License-Identifier: Apache-2.0
"""What is built: for each program where it starts, what it may hold and what it must never hold.

A daemon's memory follows what is *included*, imported or not: the constants of a program are one blob, which
becomes resident at its start. So the lists here are part of the product.
"""

from dataclasses import dataclass
from pathlib import Path

ENTRIES = Path(__file__).parent / "entry"

#: Packages of others stay frozen bytecode: as C they make the daemon larger, and the build ten times longer.
BYTECODE = (
    "anyio",
    "certifi",
    "cryptography",
    "h11",
    "httpcore",
    "httpx",
    "idna",
    "linkify_it",
    "markdown_it",
    "mdit_py_plugins",
    "mdurl",
    "msgspec",
    "platformdirs",
    "pygments",
    "pyroute2",
    "rich",
    "segno",
    "textual",
    "tomli",
    "typing_extensions",
    "uc_micro",
    "vici",
    "yaml",
)

#: In no program of an appliance: development, other people's event loops and codecs, a graphical toolkit.
_NEVER = (
    "_pytest",
    "aiohttp",
    "attr",
    "attrs",
    "brotli",
    "brotlicffi",
    "cffi",
    "cloud",
    "distutils",
    "doctest",
    "ensurepip",
    "h2",
    "hypothesis",
    "idlelib",
    "linkify_it",
    "lib2to3",
    "markdown_it",
    "mdit_py_plugins",
    "multiprocessing",
    "mypy",
    "nuitka",
    "pip",
    "pycparser",
    "pydoc",
    "pydoc_data",
    "pygments",
    "pytest",
    "setuptools",
    "socksio",
    "tests",
    "sqlite3",
    "tkinter",
    "tree_sitter",
    "trio",
    "turtledemo",
    "unittest",
    "uvloop",
    "venv",
    "zstandard",
)

#: What the terminal may hold and the daemon may not.
_TERMINAL = (
    "appliance.cli.tui",
    "appliance.tui",
    "click",
    "platformdirs",
    "rich",
    "segno",
    "textual",
    "yaml",
)

#: Parts of dependencies that the daemon's paths never reach, each of which would bring more with it.
_UNREACHED = (
    "concurrent.futures.process",
    "httpx._main",
    "xml",
    "xmlrpc",
)

#: What the daemon may hold and the terminal may not: it only speaks to the daemon.
_DAEMON = (
    "appliance.cli.daemon_charon",
    "appliance.cli.daemon_dns",
    "appliance.cli.daemon_join",
    "appliance.cli.doctor",
    "appliance.cli.enroll",
    "appliance.cli.purge",
    "appliance.cli.run",
    "appliance.cli.update",
    "appliance.run",
    "appliance.sync.client",
    "appliance.sync.enroll",
    "appliance.update",
    "anyio",
    "cryptography",
    "httpcore",
    "httpx",
    "pyroute2",
    "vici",
)


def is_of_others(module: str) -> bool:
    """Whether a module stays bytecode. Nuitka's own helpers (`x-preLoad`) are always compiled."""
    return "-" not in module and module.partition(".")[0] in BYTECODE


@dataclass(frozen=True)
class Program:
    """One executable."""

    name: str
    #: Never followed, and never there: the build fails if the report names one.
    forbidden: tuple[str, ...]
    #: Needed, and not seen by the compiler: imported by C code, or only tried.
    included: tuple[str, ...] = ()
    #: The same for whole packages.
    packages: tuple[str, ...] = ()
    #: Packages whose data files come along.
    data: tuple[str, ...] = ()

    @property
    def entry(self) -> Path:
        return ENTRIES / f"{self.name.replace('-', '_')}.py"

    def forbids(self, module: str) -> bool:
        """Whether `module` is, or is below, a forbidden one."""
        return any(module == name or module.startswith(f"{name}.") for name in self.forbidden)


#: What C code imports by name, where no compiler sees it: msgspec's types, and the times of certificates.
_BY_C = ("_json", "_strptime", "decimal", "uuid")

DAEMON = Program(
    "orillo",
    forbidden=(*_NEVER, *_TERMINAL, *_UNREACHED),
    # `ssl` encodes host names with a codec that is found by its name.
    included=(*_BY_C, "encodings.idna", "stringprep", "unicodedata"),
)
TERMINAL = Program(
    "orillo-tui",
    forbidden=(*_NEVER, *_DAEMON),
    included=_BY_C,
    # Textual finds its widgets by string.
    packages=("textual.widgets",),
    data=("appliance.tui",),
)
PROGRAMS = (DAEMON, TERMINAL)
