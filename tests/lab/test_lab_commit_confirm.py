# SPDX-License-Identifier: Apache-2.0
"""A bad plan does not strand a site: somebody deletes both connectors, and the edges take the plan back."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.trial import CONFIRM_WITHIN
from tests.lab.demo.build import build
from tests.lab.demo.topology import CONNECTORS
from tests.lab.demo.world import World
from tests.lab.device import Daemon
from tests.lab.namespaces import Namespaces
from tests.lab.product import Product
from tests.lab.wait import until

pytestmark = pytest.mark.lab


@pytest.fixture
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        namespaces = Namespaces(Path(directory))
        try:
            yield build(namespaces, Product(), lambda _: None)
        finally:
            namespaces.remove()


def status(world: World) -> dict[str, Any]:
    return world.devices["shop1"].status()


def refused(world: World) -> str:
    return str(status(world).get("control", {}).get("refused"))


def tunnels_up(world: World) -> bool:
    """Whether both connectors answer, and one carries the traffic. They know the worker no more."""
    seen = status(world)
    up = [name for name, tunnel in seen.get("tunnels", {}).items() if tunnel["up"]]
    return sorted(up) == sorted(CONNECTORS) and bool(seen.get("hub"))


def test_plan_without_hubs_is_undone_and_stays_undone(world: World) -> None:
    world.wait_for_tunnels("shop1", 20)
    good = status(world)["generation"]
    for edge in ("shop1", "shop2"):
        # They prefer a connector by name, and the operator would not let it go.
        world.operator.must("delete", "device", edge)
    for connector in CONNECTORS:
        world.operator.must("delete", "node", connector)
    until(lambda: status(world)["generation"] > good, "the bad plan is in force", 10)
    until(lambda: not world.hub_of("shop1"), "it costs the tunnels", 10)

    until(lambda: "cost this device the hub" in refused(world), "it is undone", CONFIRM_WITHIN + 15, 0.5)
    until(lambda: tunnels_up(world), "the tunnels are back", 20)
    after = status(world)["generation"]

    # Nor is it tried again by a restarted agent, to which the control endpoint offers it once more.
    world.devices["shop1"].kill(Daemon.AGENT)
    world.devices["shop1"].start(Daemon.AGENT)
    until(lambda: "tried and undone" in refused(world), "it is refused again", 20)
    assert status(world)["generation"] == after
    until(lambda: tunnels_up(world), "the tunnels are back", 20)
    seen = world.operator.read("device", "list")["devices"]
    report = next(device["report"] for device in seen if device["name"] == "shop1")
    assert report["generation"] == after
