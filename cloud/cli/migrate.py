# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud migrate fabedge`: make FabEdge's objects ours; without `--apply` it only says what."""

import argparse
import asyncio
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from appliance.netcore.plan.values import convert
from cloud.cli.output import print_json
from cloud.cli.verb import add_output
from cloud.fabedge import Action, Found, Step, migration
from cloud.faults import CommandError, Exit
from cloud.paths import CloudPaths
from cloud.settings import SettingsError, read_settings
from cloud.source import objects
from cloud.source.access import Access, AccessError, from_kubeconfig, in_cluster
from cloud.source.api import Api, ApiError
from cloud.source.resources import (
    COMMUNITIES,
    DEVICES,
    FABEDGE_CLUSTERS,
    FABEDGE_COMMUNITIES,
    NODES,
    Resource,
)

T = TypeVar("T")

_NOT_FOUND = 404
_OURS = {"Community": COMMUNITIES, "Device": DEVICES, "Node": NODES}
_AFTER = """\
FabEdge's own objects stay as they are, and are still read. Once its agents are gone from the nodes, take its
definitions away: kubectl delete crd communities.fabedge.io clusters.fabedge.io"""


def declare(parser: argparse.ArgumentParser) -> None:
    """From what, and whether in earnest."""
    parser.add_argument("what", choices=["fabedge"], help="whose objects")
    parser.add_argument("--apply", action="store_true", help="do it; without this nothing is changed")
    parser.add_argument(
        "--cluster", metavar="NAME", help="the cluster's name in FabEdge; by default our own's"
    )
    parser.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="how to reach the API; by default as the pod here"
    )
    add_output(parser)


def run(asked: argparse.Namespace, paths: CloudPaths) -> int:
    """With your own rights on the cluster, not the operator's."""
    access, cluster = _access(asked), asked.cluster or _cluster(paths)
    try:
        steps = asyncio.run(_migrate(access, cluster, apply=asked.apply))
    except ApiError as error:
        raise CommandError(f"{error}: nothing more was changed", Exit.CANNOT_RUN) from error
    if asked.output == "json":
        listed = [{"action": s.action, "kind": s.kind, "name": s.name, "text": s.text} for s in steps]
        print_json({"applied": asked.apply, "steps": listed})
    else:
        _tell(steps, applied=asked.apply)
    return Exit.OK


def _access(asked: argparse.Namespace) -> Access:
    try:
        return from_kubeconfig(asked.kubeconfig) if asked.kubeconfig else in_cluster()
    except AccessError as error:
        raise CommandError(f"{error}; or give --kubeconfig FILE", Exit.CANNOT_RUN) from error


def _cluster(paths: CloudPaths) -> str:
    try:
        return read_settings(paths.settings).cluster
    except SettingsError as error:
        raise CommandError(f"{error}; or give --cluster NAME, as FabEdge calls it", Exit.USAGE) from error


async def _migrate(access: Access, cluster: str, *, apply: bool) -> list[Step]:
    api = Api(access)
    try:
        steps = migration(await _look(api), cluster)
        for step in steps if apply else ():
            await _make(api, step)
    finally:
        await api.close()
    return steps


async def _look(api: Api) -> Found:
    for resource in (COMMUNITIES, DEVICES):
        if not await _is_served(api, resource):
            message = (
                f"the cluster has no {resource.title}: install our definitions first, then run this again"
            )
            raise CommandError(message, Exit.CANNOT_RUN)
    return Found(
        communities=await _list(api, FABEDGE_COMMUNITIES, objects.Community),
        clusters=await _list(api, FABEDGE_CLUSTERS, objects.FabedgeCluster),
        nodes=await _list(api, NODES, objects.Node),
        ours=await _list(api, COMMUNITIES, objects.Community),
        devices=await _list(api, DEVICES, objects.Device),
    )


async def _is_served(api: Api, resource: Resource) -> bool:
    try:
        await api.list(resource.path)
    except ApiError as error:
        if error.status == _NOT_FOUND:
            return False
        raise
    return True


async def _list(api: Api, resource: Resource, shape: type[T]) -> dict[str, T]:
    """The objects by name; none of a kind that the cluster does not have. What can't be read is left out."""
    if not await _is_served(api, resource):
        return {}
    found: dict[str, Any] = {}
    for raw in (await api.list(resource.path)).items:
        body = msgspec.json.decode(raw)
        try:
            found[body["metadata"]["name"]] = convert(body, shape)
        except (msgspec.MsgspecError, ValueError):
            continue
    return found


async def _make(api: Api, step: Step) -> None:
    resource = _OURS.get(step.kind)
    if step.body is None or resource is None:
        return
    if step.action is Action.CREATE:
        await api.create(resource.path, step.body)
    elif step.action is Action.UPDATE:
        await api.patch(resource.path_of(step.name), step.body)


def _tell(steps: list[Step], *, applied: bool) -> None:
    if not steps:
        print("There is nothing of FabEdge's in this cluster.")
        return
    for step in steps:
        print(f"{step.action:9}  {step.kind} {step.name}: {step.text}")
    changes = sum(step.body is not None for step in steps)
    if not changes:
        print(f"Nothing to change. {_AFTER}")
    elif applied:
        print(f"{changes} changes made. {_AFTER}")
    else:
        print(f"{changes} changes to make, none made yet: run it again with --apply.")
