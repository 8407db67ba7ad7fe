# SPDX-License-Identifier: Apache-2.0
"""Today's operator and appliances of the release before: they enrol, follow their plans, carry traffic."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.daemon_sets import CLOUD_POD, EDGE, ROLES, World, build_world
from tests.lab.namespaces import Namespaces
from tests.lab.previous import COMMIT, previous
from tests.lab.wait import until

pytestmark = pytest.mark.lab


@pytest.fixture
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        program = previous(Path(directory) / "previous")
        if program is None:
            pytest.skip(f"needs the history of the repository: {COMMIT} is not there")
        namespaces = Namespaces(Path(directory))
        try:
            yield build_world(namespaces, program)
        finally:
            namespaces.remove()


def test_appliances_of_the_release_before_carry_traffic(world: World) -> None:
    until(lambda: world.edge_pod.ping(CLOUD_POD, count=1), "the edge's pod reaches the cluster's", 40)
    community = {"apiVersion": "orillo.io/v1alpha1", "kind": "Community", "metadata": {"name": "all"}}
    world.operator.must("apply", "-f", "-", feed=json.dumps(community | {"spec": {"members": [EDGE]}}))
    for name in (EDGE, *ROLES):
        until(lambda name=name: applied(world, name), f"{name} applies its newest plan", 20)  # type: ignore[misc]
    assert world.edge_pod.ping(CLOUD_POD, count=3)


def applied(world: World, name: str) -> bool:
    """Whether the operator was told that the device runs by its newest plan, and of no fault."""
    devices = world.operator.read("device", "list")["devices"]
    device = next(device for device in devices if device["name"] == name)
    report = device["report"] or {}
    assert not report.get("refused"), report
    failed = {table: count for table, count in report.get("tables", {}).items() if count.get("failed")}
    return report.get("generation") == device["generation"] and not failed
