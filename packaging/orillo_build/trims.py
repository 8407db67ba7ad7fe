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


_MSGSPEC = "from . import inspect, json, msgpack, structs, toml, yaml\n"
_FLAGS = (
    "import types\n"
    "ast = types.SimpleNamespace(NodeVisitor=object)\n"
    "dis = types.SimpleNamespace(COMPILER_FLAG_NAMES={1: 'OPTIMIZED', 2: 'NEWLOCALS', 4: 'VARARGS', "
    "8: 'VARKEYWORDS', 16: 'NESTED', 32: 'GENERATOR', 64: 'NOFREE', 128: 'COROUTINE', "
    "256: 'ITERABLE_COROUTINE', 512: 'ASYNC_GENERATOR'})\n"
)
_DATETIME = (
    "from _datetime import *\n"
    "from _datetime import datetime_CAPI, UTC\n"
    "__all__ = ('date', 'datetime', 'time', 'timedelta', 'timezone', 'tzinfo', 'MINYEAR', 'MAXYEAR', 'UTC')\n"
)
_SETTINGS = "AF_BRIDGE = 7\ndata_plugins_pkgs = data_plugins_path = ()\n"

TRIMS = (
    Trim("pyroute2", "", "", "the package imports all that it has; we use its messages"),
    Trim("pyroute2.config", "", _SETTINGS, "for sockets, but for a number and what is not set"),
    Trim("pyroute2.netlink.rtnl.ifinfmsg", "import pkgutil\n", "", "only for plugins, and there are none"),
    Trim("vici", "", "", "its session blocks; we use its coding of packets"),
    Trim("msgspec", _MSGSPEC, "from . import json, structs\n", "the formats that no document of ours has"),
    Trim("msgspec.json", "from ._json_schema import schema, schema_components\n", "", "never asked for"),
    Trim(
        "datetime",
        "",
        _DATETIME,
        "its second implementation, in Python, which it drops at once",
    ),
    Trim(
        "uuid",
        "    import platform\n    _platform_system = platform.system()\n",
        "    _platform_system = 'Linux'\n",
        "msgspec wants the type alone",
    ),
    Trim("subprocess", "import locale\n", "", "only for text, and what we exchange is bytes"),
    Trim("inspect", "import ast\nimport dis\n", _FLAGS, "what is asked of it is kinds and signatures"),
    Trim("inspect", "import tokenize\n", "", "only for source, and there is none"),
    Trim(
        "linecache",
        "import tokenize\n",
        "import types\ntokenize = types.SimpleNamespace(open=open)\n",
        "only for source, and there is none",
    ),
)


def trimmed(module: str, source: str) -> str:
    """The source of `module` as it is built."""
    for trim in TRIMS:
        if trim.module == module:
            source = trim.apply(source)
    return source
