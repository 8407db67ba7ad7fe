# SPDX-License-Identifier: Apache-2.0
"""The owner's manifests: applied, shown, deleted. All or nothing, with every plan that follows from them."""

from typing import Any

import msgspec

from cloud.app import App
from cloud.clusters import with_what_was_said
from cloud.faults import CommandError
from cloud.places import with_places
from cloud.planner.inventory import InventoryError
from cloud.source.kinds import Kind, find_kind
from cloud.source.manifest import Manifest
from cloud.source.manifests import read_placed

_Key = tuple[str, str, str]


class File(msgspec.Struct, frozen=True):
    """One text of manifests, and what to call it in messages."""

    name: str
    text: str


class Apply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of `apply`."""

    files: tuple[File, ...]
    author: str


class Get(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of `get`; without a name, every object of the kind."""

    kind: str
    name: str | None = None


class Delete(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of `delete`."""

    kind: str
    name: str
    author: str


def apply(app: App, asked: Apply) -> dict[str, Any]:
    """Keep the manifests of all files, or of none."""
    _check_ours(app)
    placed = read_placed([(file.name, file.text) for file in asked.files])
    if not placed:
        raise CommandError("nothing to apply: there is no object in what was given")
    before = app.store.objects.all()
    manifests = with_what_was_said([manifest for _, manifest in placed], before)
    try:
        with app.change(asked.author) as news:
            app.store.objects.put(manifests)
    except InventoryError as error:
        raise CommandError("; ".join(with_places(problem, placed) for problem in error.problems)) from error
    return {
        "objects": [_outcome(manifest, before) for manifest in manifests],
        "devices": sorted(news),
        "warnings": list(app.inventory().warnings),
    }


def get(app: App, asked: Get) -> dict[str, Any]:
    """The objects as they were applied: one as itself, several as a List, which `apply` reads back."""
    kind = find_kind(asked.kind)
    objects = app.store.objects.all()
    if asked.name is None:
        bodies = [manifest.body for manifest in objects.values() if manifest.kind == kind.name]
        return {"apiVersion": "v1", "kind": "List", "items": bodies}
    return objects[_find(objects, kind, asked.name)].body


def delete(app: App, asked: Delete) -> dict[str, Any]:
    """Forget one object."""
    _check_ours(app)
    kind = find_kind(asked.kind)
    key = _find(app.store.objects.all(), kind, asked.name)
    with app.change(asked.author) as news:
        app.store.objects.delete([key])
    return {"kind": kind.name, "namespace": key[1], "name": key[2], "devices": sorted(news)}


def _check_ours(app: App) -> None:
    if app.follows:
        raise CommandError(f"this operator follows the Kubernetes API at {app.follows}: use kubectl there")


def _find(objects: dict[_Key, Manifest], kind: Kind, text: str) -> _Key:
    """The object called `name` or `namespace/name`."""
    namespace, slash, name = text.rpartition("/")
    wanted = (kind.name, kind.namespace_of(namespace), name)
    if wanted in objects and (kind.namespaced or not slash):
        return wanted
    elsewhere = sorted(
        f"{manifest.namespace}/{name}" for manifest in objects.values() if manifest.key[::2] == wanted[::2]
    )
    if kind.namespaced and elsewhere:
        raise CommandError(f"no {kind.name} {text}: say which, {' or '.join(elsewhere)}")
    raise CommandError(f"no {kind.name} {text}: see `orillo-cloud get {kind.plural}`")


def _outcome(manifest: Manifest, before: dict[_Key, Manifest]) -> dict[str, str]:
    old = before.get(manifest.key)
    outcome = "created" if old is None else "unchanged" if old == manifest else "configured"
    kind, namespace, name = manifest.key
    return {"kind": kind, "namespace": namespace, "name": name, "outcome": outcome}
