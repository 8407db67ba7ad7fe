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
_HINTS = (
    "try:\n    from typing_extensions import get_type_hints as _get_type_hints\n"
    "except Exception:\n    from typing import get_type_hints as _get_type_hints\n"
)
_REQUIRED = (
    "try:\n    from typing_extensions import NotRequired, Required\n"
    "except Exception:\n    try:\n        from typing import NotRequired, Required\n"
    "    except Exception:\n        Required = NotRequired = None\n"
)
_SIGNATURE = """\
    if not getattr(cls, '__doc__'):
        # Create a class doc-string.
        cls.__doc__ = (cls.__name__ +
                       str(inspect.signature(cls)).replace(' -> None', ''))
"""
_BEHIND_METHODS = "def _is_classvar(a_type, typing):\n"
#: In the place of the methods that stand before, which are compiled anew for each class.
_METHODS = (
    """\
from operator import attrgetter

def _values(fields):
    return attrgetter(*[f.name for f in fields]) if fields else lambda self: ()

def _shown(self):
    shown = [f for f in self.__dataclass_fields__.values() if f._field_type is _FIELD and f.repr]
    return f"{self.__class__.__qualname__}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in shown)})"

def _repr_fn(fields, globals):
    return _shown

def _frozen_get_del_attr(cls, fields, globals):
    names = frozenset(f.name for f in fields)
    def __setattr__(self, name, value):
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)
    def __delattr__(self, name):
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)
    return __setattr__, __delattr__

def _eq_fn(values):
    def __eq__(self, other):
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented
    return __eq__

def _hash_fn(fields, globals):
    values = _values(fields)
    def __hash__(self):
        return hash(values(self))
    return __hash__

"""
    + _BEHIND_METHODS
)
_EQ = """\
                           _cmp_fn('__eq__', '==',
                                   self_tuple, other_tuple,
                                   globals=globals))
"""
_UUID = """\
import os

class SafeUUID:
    unknown = None

class UUID:
    def __init__(self, bytes):
        self.bytes = bytes

    @property
    def hex(self):
        return self.bytes.hex()

    def __str__(self):
        return self.hex

def uuid4():
    return UUID(os.urandom(16))
"""
_LINKS = "pyroute2.netlink.rtnl.ifinfmsg"
_OTHERS = "    bond,\n    can,\n    geneve,\n    gtp,\n"
_BEHIND = "    vlan,\n    vrf,\n    vti,\n    vti6,\n"
_IMPORTED = f"{_OTHERS}    ipoib,\n    ipvlan,\n    team,\n    tun,\n    tuntap,\n{_BEHIND}"
_LISTED = f"{_OTHERS}    ipvlan,\n    team,\n    tuntap,\n    tun,\n{_BEHIND}"
_SETTINGS = "AF_BRIDGE = 7\ndata_plugins_pkgs = data_plugins_path = ()\n"

TRIMS = (
    Trim("pyroute2", "", "", "the package imports all that it has; we use its messages"),
    Trim("pyroute2.config", "", _SETTINGS, "for sockets, but for a number and what is not set"),
    Trim(_LINKS, "import pkgutil\n", "", "only for plugins that come from elsewhere"),
    Trim(_LINKS, _IMPORTED, "", "ours are XFRM and VXLAN links"),
    Trim(_LINKS, _LISTED, "", "ours are XFRM and VXLAN links"),
    Trim(_LINKS, "    xfrm,\n    ipoib,\n):", "    xfrm,\n):", "ours are XFRM and VXLAN links"),
    Trim("vici", "", "", "its session blocks; we use its coding of packets"),
    Trim("msgspec", _MSGSPEC, "from . import json, structs\n", "the formats that no document of ours has"),
    Trim("msgspec.json", "from ._json_schema import schema, schema_components\n", "", "never asked for"),
    Trim(
        "datetime",
        "",
        _DATETIME,
        "its second implementation, in Python, which it drops at once",
    ),
    Trim("uuid", "", _UUID, "msgspec wants the type alone, the terminal a name that is new"),
    Trim("decimal", "", "class Decimal: ...\n", "msgspec wants the type alone"),
    Trim(
        "msgspec._utils",
        _HINTS,
        "from typing import get_type_hints as _get_type_hints\n",
        "typing has it, and the other is its size again",
    ),
    Trim("msgspec._utils", _REQUIRED, "from typing import NotRequired, Required\n", "all is in typing"),
    Trim("dataclasses", _BEHIND_METHODS, _METHODS, "five methods of each class are code of its own"),
    Trim(
        "dataclasses", _EQ, "_eq_fn(_values([f for f in field_list if f.compare])))\n", "as its other methods"
    ),
    Trim("dataclasses", "{f.name}:_type_{f.name}{default}", "{f.name}{default}", "nobody asks for a type"),
    Trim("dataclasses", "{f'_type_{f.name}': f.type for f in fields}", "{}", "nobody asks for a type"),
    Trim("dataclasses", _SIGNATURE, "", "a text of its own for each class, which nobody reads"),
    Trim("dataclasses", "import inspect\n", "", "only for that text"),
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
