# SPDX-License-Identifier: Apache-2.0
"""YAML or JSON text as plain documents, read as Kubernetes reads them.

The one importer of PyYAML. Its own reading of YAML 1.1 differs from Kubernetes' in what would hurt here:
times are left as text, `1:2:3` is no number to base 60, and a key that is given twice is an error.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

#: More than any real manifest has; what lies above is an alias that grows or turns in a circle.
_MAX_DEPTH = 64
_MAX_VALUES = 1_000_000


class DocumentError(ValueError):
    """Text that is no document. `where` is the line, or the path of the value at fault."""

    def __init__(self, number: int, where: str, problem: str) -> None:
        self.number = number
        self.where = where
        self.problem = problem
        super().__init__(f"document {number}, {where}: {problem}")


class _Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """Kubernetes' reading of YAML."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(str(key.value))
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NUMBERS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _NUMBERS[0], re.compile(r"[-+]?(0|[1-9][0-9]*|0o?[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    _NUMBERS[1], re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"), list("-+.0123456789")
)


def read_documents(text: str) -> Iterator[tuple[int, Any]]:
    """The documents in `text`, each with its number from 1; empty ones are counted and passed over."""
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text, object_pairs_hook=_no_key_twice)
        except json.JSONDecodeError:
            pass  # several documents, or YAML in flow style: both are the YAML reader's
        else:
            yield 1, _Plain(1).value(document, "", 0)
            return
    yield from _read_yaml(text)


def to_yaml(document: Any) -> str:
    """A document as YAML for people to read."""
    text: str = yaml.safe_dump(document, sort_keys=False, width=110)
    return text


def _read_yaml(text: str) -> Iterator[tuple[int, Any]]:
    number = 0
    loader = _Loader(text)
    try:
        while loader.check_data():
            number += 1
            document = loader.get_data()
            if document is not None:
                yield number, _Plain(number).value(document, "", 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}" if mark else ""
        raise DocumentError(max(number, 1), where, error.problem or "this is not YAML") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(
            max(number, 1), "", f"this is not YAML: {' '.join(str(error).split())}"
        ) from error
    finally:
        loader.dispose()


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DocumentError(1, twice, f"the key {twice!r} is given twice")
    return mapping


class _Plain:
    """One document turned into plain JSON: keys are strings, and a null field is one that is not there."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._left = _MAX_VALUES

    def value(self, value: Any, where: str, depth: int) -> Any:
        self._left -= 1
        if depth > _MAX_DEPTH or self._left < 0:
            raise DocumentError(self._number, "", "the document is too deep or too large")
        if isinstance(value, dict):
            return {
                self._key(key, where): self.value(item, f"{where}.{key}".lstrip("."), depth + 1)
                for key, item in value.items()
                if item is not None
            }
        if isinstance(value, list):
            return [self.value(item, f"{where}[{place}]", depth + 1) for place, item in enumerate(value)]
        if value is None or isinstance(value, str | bool | int | float):
            return value
        raise DocumentError(self._number, where, f"a {type(value).__name__} has no place in a manifest")

    def _key(self, key: Any, where: str) -> str:
        if not isinstance(key, str):
            raise DocumentError(self._number, where, f"the key {key!r} is not a string")
        return key
