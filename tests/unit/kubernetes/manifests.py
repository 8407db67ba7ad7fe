# SPDX-License-Identifier: Apache-2.0
"""The plain manifest and the operator's rights, as objects."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloud.source.documents import read_documents

FOLDER = Path(__file__).parents[3] / "packaging/kubernetes"


def objects(name: str = "orillo.yaml") -> list[dict[str, Any]]:
    """The objects of a file of `packaging/kubernetes`."""
    return [body for _, body in read_documents((FOLDER / name).read_text())]


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    """Those of the plain manifest that are of these kinds."""
    return [body for body in objects() if body["kind"] in kinds]


def data_plane() -> dict[str, dict[str, Any]]:
    """The DaemonSets' pods, by role."""
    return {
        body["metadata"]["name"].removeprefix("orillo-"): body["spec"]["template"]["spec"]
        for body in of_kind("DaemonSet")
    }


def containers(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All of a pod's containers, the first ones first."""
    yield from pod.get("initContainers", ())
    yield from pod["containers"]
