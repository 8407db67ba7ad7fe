# SPDX-License-Identifier: Apache-2.0
"""Kubernetes manifests in, checked objects out: all of them, or the first reason why not."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from appliance.netcore.plan.values import convert
from cloud.source.documents import DocumentError, read_documents
from cloud.source.faults import explain_fault
from cloud.source.kinds import Kind, UnknownKindError, find_kind, is_object_name, kind_of
from cloud.source.manifest import Manifest, ManifestError, Spot
from cloud.source.schemas import SCHEMAS

__all__ = [
    "Manifest",
    "ManifestError",
    "UnknownKindError",
    "find_kind",
    "read_files",
    "read_manifests",
    "read_object",
    "read_placed",
    "read_text",
]

_SUFFIXES = (".yaml", ".yml", ".json")


def read_manifests(texts: Iterable[tuple[str, str]]) -> list[Manifest]:
    """The objects of one apply, from pairs of a file's name and its text, in their order.

    Raises `ManifestError` for the first one that is refused, also if an object is given twice.
    """
    return [manifest for _, manifest in read_placed(texts)]


def read_placed(texts: Iterable[tuple[str, str]]) -> list[tuple[Spot, Manifest]]:
    """As `read_manifests`, each object with the place where it stands."""
    found: dict[tuple[str, str, str], Spot] = {}
    placed: list[tuple[Spot, Manifest]] = []
    for file, text in texts:
        for spot, manifest in _objects(file, text):
            before = found.setdefault(manifest.key, spot)
            if before is not spot:
                problem = f"{manifest.title} is given twice: the first one is in {before}"
                raise spot.below("metadata.name").refuse(problem, "Keep one of the two, or rename it")
            placed.append((spot, manifest))
    return placed


def read_text(text: str, file: str = "input") -> list[Manifest]:
    """The objects in one text; errors as `read_manifests`."""
    return read_manifests([(file, text)])


def read_files(paths: Iterable[Path]) -> list[Manifest]:
    """The objects in files, and in the YAML and JSON files of folders, by name; errors as `read_manifests`.

    Raises `ManifestError` for a file that can't be read, too.
    """
    return read_manifests((str(path), _read_file(path)) for path in _walk(paths))


def _walk(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(child for child in path.iterdir() if child.suffix in _SUFFIXES)
        else:
            yield path


def _read_file(path: Path) -> str:
    spot = Spot(str(path))
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        problem = f"can't be read ({error.strerror})"
        raise spot.refuse(problem, "Check the file's name and its permissions") from error
    except UnicodeDecodeError as error:
        raise spot.refuse("is not UTF-8 text", "Save the file as UTF-8") from error


def read_object(document: Any, spot: Spot = Spot()) -> Manifest:  # noqa: B008 -- Spot is immutable
    """One object, checked; `spot` says where it stands. Raises `ManifestError`."""
    if not isinstance(document, dict):
        problem = f"a {type(document).__name__} is no Kubernetes object"
        raise spot.refuse(problem, "Write an object with apiVersion, kind and metadata")
    kind = _kind(document, spot)
    schema = SCHEMAS.get(f"{kind.name} {document['apiVersion']}", SCHEMAS[kind.name])
    try:
        metadata = convert(document, schema).metadata
    except ValueError as error:  # msgspec's ValidationError is one, too
        fault = explain_fault(str(error), schema)
        raise spot.below(fault.field).refuse(fault.problem, fault.remedy) from error
    for field, text in (("name", metadata.name), ("namespace", metadata.namespace or "default")):
        if not is_object_name(text):
            remedy = "Use lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
            raise spot.below(f"metadata.{field}").refuse(f"{text!r} is no name for an object", remedy)
    namespace = kind.namespace_of(metadata.namespace)
    return Manifest(document["apiVersion"], kind.name, namespace, metadata.name, document)


def _kind(document: dict[str, Any], spot: Spot) -> Kind:
    for name in ("apiVersion", "kind"):
        if not isinstance(document.get(name), str):
            problem = "missing" if name not in document else "not a string"
            raise spot.below(name).refuse(problem, f"Write `{name}` as Kubernetes has it")
    try:
        return kind_of(document["apiVersion"], document["kind"])
    except UnknownKindError as error:
        raise spot.below(error.field).refuse(error.problem, error.remedy) from error


def _objects(file: str, text: str) -> Iterator[tuple[Spot, Manifest]]:
    try:
        for number, document in read_documents(text):
            for spot, item in _items(Spot(file, number), document):
                yield spot, read_object(item, spot)
    except DocumentError as error:
        spot = Spot(file, error.number, error.where)
        raise spot.refuse(error.problem, "Correct the text and apply again") from error


def _items(spot: Spot, document: Any) -> Iterator[tuple[Spot, Any]]:
    """The objects of a `kind: List`, each with its place; the document itself if it is none."""
    is_list = isinstance(document, dict) and document.get("kind") == "List"
    if not is_list:
        yield spot, document
        return
    items = document.get("items", [])
    if not isinstance(items, list):
        raise spot.below("items").refuse("not a list", "Write the objects of a List as a list")
    for place, item in enumerate(items):
        yield from _items(spot.below(f"items[{place}]"), item)
