# SPDX-License-Identifier: Apache-2.0
"""Who is looked at when, by what comes to an API server that keeps Device objects, and at times does not."""

import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from appliance.netcore.plan.exchange import Report, TunnelState
from cloud.app import App
from cloud.enrolment import keep_report
from cloud.paths import CloudPaths
from cloud.source.access import Access
from cloud.source.api import Api
from cloud.status_writer import StatusWriter
from tests.unit.endpoint.operators import NODES, Clock, new_app
from tests.unit.endpoint.test_app import bring_in, put

SHOP = "/apis/orillo.io/v1alpha1/devices/shop1"


class Devices:
    """The server: objects by path. `asked` are the requests; while it is `broken` it refuses all of them."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.broken = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append((request.method, path))
        if self.broken:
            return httpx.Response(500, json={"message": "not now"})
        if request.method == "POST":
            body = json.loads(request.content)
            name = body["metadata"]["name"]
            self.objects[f"{path}/{name}"] = body
            return httpx.Response(201, json=body)
        found = self.objects.get(path.removesuffix("/status"))
        if found is None:
            return httpx.Response(404, json={"message": "not found"})
        if request.method == "PATCH":
            found["status"] = found.get("status", {}) | json.loads(request.content)["status"]
        return httpx.Response(200, json=found)

    def told(self, name: str) -> dict[str, Any]:
        """The status of a device."""
        status: dict[str, Any] = self.objects[f"/apis/orillo.io/v1alpha1/devices/{name}"].get("status", {})
        return status


@pytest.fixture(name="server")
def make_server() -> Devices:
    return Devices()


@pytest.fixture(name="app")
async def make_app(tmp_path: Path) -> AsyncIterator[App]:
    app = new_app(CloudPaths(tmp_path), Clock())
    put(app, NODES)
    for name in ("connector-1", "shop1", "shop2"):
        bring_in(app, name)
        app.seen[name] = app.now()
    yield app
    app.store.close()


@pytest.fixture(name="writer")
async def make_writer(app: App, server: Devices) -> AsyncIterator[StatusWriter]:
    """One that has told of everything that there is."""
    access = Access("https://kubernetes.test", ssl.create_default_context(), lambda: "a-token")
    api = Api(access, transport=httpx.MockTransport(server.answer))
    writer = StatusWriter(app, api)
    writer.read_inventory()
    for _ in range(3):
        await writer.write_all()
    assert server.told("shop1")["state"] == "enrolled"
    server.asked.clear()
    yield writer
    await api.close()


def report(app: App, name: str, **fields: Any) -> None:
    head = app.heads()[name]
    who = app.identities()[name]
    well = Report(who, "0.1.0", datetime.now(UTC), head.generation, head.digest, "libipsec")
    keep_report(app, replace(well, **fields))


async def test_what_is_known_is_not_told_again(writer: StatusWriter, server: Devices) -> None:
    for _ in range(3):
        await writer.write_all()
    assert server.asked == []


async def test_a_report_is_told_with_the_next_pass_and_nobody_else(
    app: App, writer: StatusWriter, server: Devices
) -> None:
    report(app, "shop1", tunnels={"connector-1": TunnelState(up=True, chosen=True)})
    await writer.write_all()
    assert {path for _, path in server.asked if "events" not in path} == {f"{SHOP}/status"}
    assert server.told("shop1")["tunnels"]["connector-1"]["up"]


async def test_a_change_of_the_inventory_is_told(app: App, writer: StatusWriter, server: Devices) -> None:
    put(app, "apiVersion: orillo.io/v1alpha1\nkind: Device\nmetadata: {name: shop2}\nspec: {site: north}\n")
    writer.read_inventory()
    await writer.write_all()
    assert server.told("shop2")["site"] == "north"


async def test_what_failed_is_tried_again(app: App, writer: StatusWriter, server: Devices) -> None:
    """Though nothing else happens that would be a reason to look."""
    server.broken = True
    report(app, "shop1", ipsec="kernel")
    await writer.write_all()
    server.broken = False
    for _ in range(2):
        await writer.write_all()
    assert server.told("shop1")["ipsec"] == "kernel"


async def test_that_a_device_is_still_there_is_told_now_and_then(
    app: App, writer: StatusWriter, server: Devices
) -> None:
    clock = app.now
    assert isinstance(clock, Clock)
    before = server.told("shop1")["lastSeen"]
    for _ in range(6):
        clock.pass_by(timedelta(minutes=1))
        app.seen["shop1"] = app.now()
        await writer.write_all()
    assert server.told("shop1")["lastSeen"] > before
    assert len([path for _, path in server.asked if path == f"{SHOP}/status"]) == 1


async def test_a_device_that_speaks_for_the_first_time_is_looked_at(
    app: App, writer: StatusWriter, server: Devices
) -> None:
    put(app, NODES.replace("shop2", "shop3"))
    writer.read_inventory()
    await writer.write_all()
    server.asked.clear()
    bring_in(app, "shop3")
    await writer.write_all()
    await writer.write_all()
    assert server.told("shop3")["state"] == "enrolled"
