# SPDX-License-Identifier: Apache-2.0
"""What is left out of modules of others in a build: importing it costs more than all that we use.

The lock file pins what these texts are taken from; a text that is no longer there fails the build.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trim:
    """One replacement in the source of one module; `old` is empty for the whole of it."""

    module: str
    old: str
    new: str
    why: str

    def apply(self, source: str) -> str:
        """The trimmed source. Raises `LookupError` if the module is not what was trimmed."""
        if not self.old:
            return self.new
        if source.count(self.old) != 1:
            raise LookupError(
                f"{self.module}: {self.old!r} is there {source.count(self.old)} times, not once"
            )
        return source.replace(self.old, self.new)


_NO_PROCESSES = "import types\nmultiprocessing = types.SimpleNamespace(Pipe=None, Process=None, Queue=None)\n"

TRIMS = (
    Trim("pyroute2", "", "", "the package imports all that it has; we use rtnetlink alone"),
    Trim(
        "pyroute2.config",
        "import multiprocessing\n",
        _NO_PROCESSES,
        "only for sockets in other network namespaces",
    ),
    Trim(
        "pyroute2.process",
        "import multiprocessing\n",
        _NO_PROCESSES,
        "only for sockets in other network namespaces",
    ),
    Trim(
        "pyroute2.netlink.rtnl.iprsocket",
        "from unittest import mock\n",
        "import types\nmock = types.SimpleNamespace(Mock=object)\n",
        "a placeholder for what synchronous sockets lack",
    ),
)


def trimmed(module: str, source: str) -> str:
    """The source of `module` as it is built."""
    for trim in TRIMS:
        if trim.module == module:
            source = trim.apply(source)
    return source
