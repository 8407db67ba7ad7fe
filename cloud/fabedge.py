# SPDX-License-Identifier: Apache-2.0
"""From FabEdge's objects to ours: what would change, one step an object. Pure.

FabEdge's own objects are never touched. Both are read, and of two Communities with one name ours counts, so
that each step alone changes nobody's plan.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from appliance.netcore.plan.identity import is_name
from cloud.planner.communities import FABEDGE_CONNECTOR
from cloud.planner.networks import BY_HAND_ANNOTATION, SUBNETS_ANNOTATION
from cloud.planner.nodes import ADDRESSES_ANNOTATION
from cloud.source import objects
from cloud.source.resources import COMMUNITIES, DEVICES

MIGRATED = "orillo.io/migrated-from"


class Action(StrEnum):
    """What becomes of an object of ours; `left` is what has to be done by hand."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    LEFT = "left"


class Step(msgspec.Struct, frozen=True):
    """One object: `text` says why and what; `body` is the object, or the merge patch that changes it."""

    action: Action
    kind: str
    name: str
    text: str
    body: dict[str, Any] | None = None


class Found(NamedTuple):
    """What there is, by name: FabEdge's communities and clusters, the nodes, and what is ours."""

    communities: Mapping[str, objects.Community]
    clusters: Mapping[str, objects.FabedgeCluster]
    nodes: Mapping[str, objects.Node]
    ours: Mapping[str, objects.Community]
    devices: Mapping[str, objects.Device]


def migration(found: Found, cluster: str) -> list[Step]:
    """All steps, in the order in which they are best made."""
    return [
        *(_device(name, node, found.devices.get(name)) for name, node in _with(found, ADDRESSES_ANNOTATION)),
        *(_prefixes(name, node) for name, node in _with(found, SUBNETS_ANNOTATION)),
        *(_community(name, one, found, cluster) for name, one in sorted(found.communities.items())),
        *(_cluster(name) for name in sorted(found.clusters) if name != cluster),
    ]


def _with(found: Found, annotation: str) -> Iterator[tuple[str, objects.Node]]:
    for name, node in sorted(found.nodes.items()):
        if node.metadata.annotations.get(annotation, "").strip():
            yield name, node


def _device(name: str, node: objects.Node, device: objects.Device | None) -> Step:
    addresses = _split(node.metadata.annotations[ADDRESSES_ANNOTATION])
    said = f"publicAddresses {', '.join(addresses)}, from the Node's {ADDRESSES_ANNOTATION}"
    spec = {"publicAddresses": list(addresses)}
    if device is None:
        return Step(Action.CREATE, "Device", name, said, _object(DEVICES.api_version, "Device", name, spec))
    if not device.spec.public_addresses:
        return Step(Action.UPDATE, "Device", name, said, {"spec": spec})
    if device.spec.public_addresses == addresses:
        return Step(Action.UNCHANGED, "Device", name, said)
    own = ", ".join(device.spec.public_addresses)
    return Step(Action.KEPT, "Device", name, f"it says {own} itself, which counts; FabEdge has {said}")


def _prefixes(name: str, node: objects.Node) -> Step:
    theirs = node.metadata.annotations[SUBNETS_ANNOTATION].strip()
    own = node.metadata.annotations.get(BY_HAND_ANNOTATION, "")
    said = f"{BY_HAND_ANNOTATION}: {theirs}, from {SUBNETS_ANNOTATION}"
    if not own:
        patch = {"metadata": {"annotations": {BY_HAND_ANNOTATION: theirs}}}
        return Step(Action.UPDATE, "Node", name, said, patch)
    if _split(own) == _split(theirs):
        return Step(Action.UNCHANGED, "Node", name, said)
    return Step(
        Action.KEPT, "Node", name, f"{BY_HAND_ANNOTATION} is {own}, which counts; FabEdge has {theirs}"
    )


def _community(name: str, theirs: objects.Community, found: Found, cluster: str) -> Step:
    members = tuple(_members(theirs.spec.members or (), cluster))
    said = f"members {', '.join(members) or 'none'}"
    if not is_name(name):
        text = "its name is no DNS label: make a Community of ours with another name by hand"
        return Step(Action.LEFT, "Community", name, text)
    if not any("." not in member for member in members):
        text = "no node of this cluster is in it; every edge may talk to the cloud anyway"
        return Step(Action.LEFT, "Community", name, text)
    ours = found.ours.get(name)
    spec = {"members": list(members)}
    if ours is None:
        body = _object(COMMUNITIES.api_version, "Community", name, spec)
        return Step(Action.CREATE, "Community", name, said, body)
    if ours.spec.members is not None and set(ours.spec.members) == set(members):
        return Step(Action.UNCHANGED, "Community", name, said)
    if ours.metadata.annotations.get(MIGRATED):
        return Step(Action.UPDATE, "Community", name, f"{said}: FabEdge's changed", {"spec": spec})
    return Step(Action.KEPT, "Community", name, f"one of ours is there, which counts; FabEdge's has {said}")


def _members(members: Iterable[str], cluster: str) -> Iterator[str]:
    """Our own nodes by their names alone; the cloud itself is no member."""
    for member in members:
        owner, _, node = member.rpartition(".")
        if owner not in ("", cluster):
            yield member
        elif not (owner and node == FABEDGE_CONNECTOR):
            yield node


def _cluster(name: str) -> Step:
    text = (
        "its connectors have keys of FabEdge's: install an operator there and enrol it here; until then "
        "its prefixes stay closed"
    )
    return Step(Action.LEFT, "Cluster", name, text)


def _object(api_version: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "annotations": {MIGRATED: "fabedge.io"}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
