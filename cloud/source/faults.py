# SPDX-License-Identifier: Apache-2.0
"""A validation error of msgspec as its field, its problem and a remedy in words."""

import difflib
import re
from ipaddress import ip_interface
from typing import Any, NamedTuple

from msgspec import inspect

_PLACE = re.compile(r"^(?P<text>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")
_HOST_BITS = re.compile(r"(\S+) has host bits set")


class Fault(NamedTuple):
    """What is wrong with one field, and what to do."""

    field: str
    problem: str
    remedy: str


def explain_fault(message: str, schema: Any) -> Fault:
    """The fault that msgspec's `message` tells of, in an object of the type `schema`."""
    match = _PLACE.match(message)
    text, path = (match["text"], match["path"] or "") if match else (message, "")
    field = path.lstrip(".")
    if unknown := _UNKNOWN.fullmatch(text):
        return Fault(
            _below(field, unknown[1]), "unknown field", _suggest(unknown[1], _fields_at(schema, path))
        )
    if missing := _MISSING.fullmatch(text):
        return Fault(_below(field, missing[1]), "missing", f"Add the field `{missing[1]}`")
    if host_bits := _HOST_BITS.fullmatch(text):
        return Fault(field, f"{text}, so it is no prefix", f"Write {ip_interface(host_bits[1]).network}")
    return Fault(field, text[:1].lower() + text[1:], "Correct the value and apply again")


def _below(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name


def _suggest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean `{close[0]}`?"
    return f"Remove it; the fields here are {', '.join(sorted(known))}"


def _fields_at(schema: Any, path: str) -> list[str]:
    """The names of the fields at a path such as `.spec.ports[0]`, empty where they can't be told."""
    here: Any = inspect.type_info(schema)
    for name, _ in re.findall(r"\.([^.\[]+)|(\[[^\]]*\])", path):
        if isinstance(here, inspect.StructType):
            here = next((field.type for field in here.fields if field.encode_name == name), None)
        else:
            here = getattr(here, "item_type", getattr(here, "value_type", None))
    return [field.encode_name for field in here.fields] if isinstance(here, inspect.StructType) else []
