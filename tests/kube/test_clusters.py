# SPDX-License-Identifier: Apache-2.0
"""Two clusters, each with an API server and an operator of its own, that exchange services."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.netcore.plan.exchange import TunnelState
from cloud.ca.member import window_of
from cloud.ca.policy import LEAF_VALIDITY
from cloud.endpoint.joining import join
from cloud.enrolment import create_token
from cloud.links import keep
from cloud.settings import Pools, Settings
from tests.kube.cluster import install, until
from tests.kube.operating import operating, plan_of, report
from tests.kube.server import KubeServer, assets
from tests.kube.things import CLUSTERS, NODES, SERVICES, SLICES, endpoint_slice, node, service
from tests.unit.endpoint.operators import Clock, Device, Operator, enroll, settings

OVERLAY = {"east": "10.251.0.0/24", "west": "10.252.0.0/24"}
HUBS = ("hub1", "hub2")


@pytest.fixture(scope="module")
def other(kube: KubeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeServer]:
    """The other cluster's API server; there is one, since there is the first."""
    programs = assets()
    assert programs
    server = KubeServer(programs, tmp_path_factory.mktemp("other"))
    try:
        install(server)
        yield server
    finally:
        server.close()


@dataclass
class Cluster:
    """One of the two."""

    name: str
    kube: KubeServer
    operator: Operator
    clock: Clock
    devices: dict[str, Device]

    def line(self) -> dict[str, str]:
        """What `kubectl get clusters` says, by the columns' names."""
        head, *rows = self.kube.kubectl("get", "clusters").splitlines()
        (row,) = rows
        starts = [match.start() for match in re.finditer(r"\S+", head)]
        ends = [*starts[1:], None]
        return {head[a:b].strip(): row[a:b].strip() for a, b in zip(starts, ends, strict=True)}

    def conditions(self) -> dict[str, str]:
        """What the one Cluster object says, by the condition's type."""
        (body,) = self.kube.ask("GET", CLUSTERS)["items"]
        return {each["type"]: each["status"] for each in body.get("status", {}).get("conditions", [])}

    def backends(self, who: str) -> list[str]:
        """Which of the service's backends a device knows, the near ones first."""
        ports = plan_of(self.operator, who)["services"].get("default/web.global", {}).get("ports", {})
        found = ports.get("http", {}).get("backends", {}).values()
        order = ["node", "site", "community", "region", "cloud", "cluster"]
        return [one["node"] for one in sorted(found, key=lambda one: (order.index(one["tier"]), one["node"]))]


def wish(name: str) -> Settings:
    return msgspec.structs.replace(
        settings(), cluster=name, pools=Pools(overlay=(ip_network(OVERLAY[name]),))
    )


def objects(other: str, place: int) -> list[tuple[str, dict[str, Any]]]:
    """Two connectors, an edge, and the other cluster."""
    label = {"node-role.kubernetes.io/connector": ""}
    hubs = [
        node(
            hub,
            f"10.244.{number}.0/24",
            label,
            {"fabedge.io/node-public-addresses": f"203.0.113.{place + number}"},
        )
        for number, hub in enumerate(HUBS)
    ]
    cluster = {"apiVersion": "orillo.io/v1alpha1", "kind": "Cluster", "metadata": {"name": other}}
    edge = node("shop1", "10.244.9.0/24")
    return [*((NODES, each) for each in (*hubs, edge)), (CLUSTERS, cluster)]


@pytest.fixture
async def clusters(
    cluster: KubeServer, other: KubeServer, tmp_path: Path
) -> AsyncIterator[tuple[Cluster, Cluster]]:
    """East and west, without a word to one another."""
    async with AsyncExitStack() as stack:
        made = []
        for place, (name, far, kube) in enumerate((("east", "west", cluster), ("west", "east", other)), 1):
            for path, body in objects(far, 10 * place):
                kube.ask("POST", path, body)
            clock = Clock()
            operator = await stack.enter_async_context(operating(kube, clock, wish(name)))
            await until(lambda app=operator.app: len(app.inventory().nodes) == 3, "nodes are seen")  # type: ignore[misc]
            (tmp_path / name).mkdir()
            devices = {who: await enroll(operator, tmp_path / name, who) for who in (*HUBS, "shop1")}
            made.append(Cluster(name, kube, operator, clock, devices))
        east, west = made
        yield east, west


async def bring_together(east: Cluster, west: Cluster) -> datetime:
    """West's operator joins east's by a token; its certificate there has ten seconds to go."""
    present = east.clock.moment
    ends = datetime.now(UTC) + timedelta(seconds=10)
    east.clock.moment = ends - LEAF_VALIDITY
    made = create_token(east.operator.app, "west", timedelta(hours=1))
    where = {"enroll_url": east.operator.enrolment(""), "control_url": east.operator.control("")}
    token = msgspec.structs.replace(made, **where)
    name, identity, ca = await join("west", token)
    east.clock.moment = present
    keep(west.operator.paths.links, name, token.control_url, ca, identity)
    return ends


async def test_two_clusters_exchange_services(clusters: tuple[Cluster, Cluster]) -> None:
    east, west = clusters
    await until(lambda: east.line()["HEARD"] == "False", "nobody has joined anybody")
    assert "there `token create --name east`, here `cluster join TOKEN`" in east.line()["MESSAGE"]
    ends = await bring_together(east, west)
    for here in clusters:
        await until(lambda here=here: here.line()["HEARD"] == "True", f"{here.name} hears the other")  # type: ignore[misc]
        assert here.line()["GATEWAYS"] == "2"
    assert "west" not in east.kube.kubectl("get", "devices"), "its operator is enrolled, and no device"

    # West's service: seen in the east behind both gateways, and once the east has it too, behind those.
    west.kube.ask("POST", SERVICES, service("web"))
    west.kube.ask("POST", SLICES, endpoint_slice("web-1", "web", "10.244.9.7", "shop1"))
    west.kube.kubectl("label", "service", "web", "orillo.io/global=true")
    far = ["west--hub1", "west--hub2"]
    await until(lambda: east.backends("shop1") == far, "the west's edge answers for both, by its gateways")
    assert east.backends("hub1") == far
    east.kube.ask("POST", SERVICES, service("web"))
    east.kube.ask("POST", SLICES, endpoint_slice("web-1", "web", "10.244.9.7", "shop1"))
    east.kube.kubectl("label", "service", "web", "orillo.io/global=true")
    await until(lambda: east.backends("shop1") == ["shop1", *far], "its own is the nearest")
    assert east.backends("hub1") == ["shop1", *far]
    await until(lambda: east.line()["SERVICES"] == "1", "the service is counted")

    await _tunnels_are_told(east, far)
    await _its_certificate_is_another(east, west, ends)
    await _only_by_the_ca_that_the_object_names(east, west)
    await _silence_takes_nothing_away(east, west, far)


async def _tunnels_are_told(east: Cluster, far: list[str]) -> None:
    up = TunnelState(up=True, chosen=True)
    assert east.conditions()["TunnelUp"] == "Unknown"
    for hub in HUBS:
        await report(east.operator, east.devices[hub], tunnels=dict.fromkeys(far, up))
    await until(lambda: east.line()["TUNNELS"] == "2/2", "both gateways are reached")
    for hub in HUBS:
        down = TunnelState(up=False, reason="no echo")
        await report(east.operator, east.devices[hub], tunnels={far[0]: down, far[1]: up})
    await until(lambda: east.line()["TUNNELS"] == "1/2", "one gateway is gone")
    assert "hub1 out of reach: the others carry on" in east.line()["MESSAGE"]
    assert east.conditions() == {"Heard": "True", "Planned": "True", "TunnelUp": "True", "Degraded": "True"}
    events = east.kube.kubectl("events", "--for", "cluster.orillo.io/west", "--namespace", "default")
    assert "GatewayDown" in events
    for hub in HUBS:
        await report(east.operator, east.devices[hub], tunnels=dict.fromkeys(far, up))
    await until(lambda: east.conditions()["Degraded"] == "False", "both are reached again")


async def _its_certificate_is_another(east: Cluster, west: Cluster, ends: datetime) -> None:
    """The first one has ended; whoever is heard now is heard by its successor."""
    await until(lambda: datetime.now(UTC) > ends, "the first certificate has ended")
    file = west.operator.paths.links / "east" / "identity.pem"
    assert window_of(file.read_bytes()).not_after > datetime.now(UTC) + timedelta(days=80)
    west.kube.kubectl("label", "service", "web", "orillo.io/global-")
    await until(lambda: east.backends("shop1") == ["shop1"], "what the west says is heard")
    west.kube.kubectl("label", "service", "web", "orillo.io/global=true")
    await until(lambda: len(east.backends("shop1")) == 3, "and heard again")


async def _only_by_the_ca_that_the_object_names(east: Cluster, west: Cluster) -> None:
    def pin(text: str) -> None:
        patch = json.dumps({"spec": {"caPin": text}})
        east.kube.kubectl("patch", "clusters.orillo.io", "west", "--type=merge", "-p", patch)

    pin("0a" * 32)
    await until(lambda: not east.backends("shop1"), "what another CA vouches for is out of the plans")
    await until(lambda: "another CA than spec.caPin" in east.line()["MESSAGE"], "and why, is told", 40)
    pin(west.operator.app.issuer.pin)
    await until(lambda: len(east.backends("shop1")) == 3, "the right one is in them again")


async def _silence_takes_nothing_away(east: Cluster, west: Cluster, far: list[str]) -> None:
    """Not from the operator, nor from one that starts with nothing but what the API server has."""
    (body,) = east.kube.ask("GET", CLUSTERS)["items"]
    assert sorted(body["status"]["document"]["gateways"]) == list(HUBS)
    await west.operator.server.close()
    east.clock.pass_by(timedelta(seconds=91))
    await until(lambda: east.line()["HEARD"] == "False", "that it is silent is told", 20)
    assert east.conditions()["Degraded"] == "True"
    assert east.backends("shop1") == ["shop1", *far]
    async with operating(east.kube, Clock(), wish("east")) as successor:
        await until(lambda: "west" in successor.app.inventory().others, "the successor knows what was said")
        said = successor.app.inventory().others["west"]
        assert (sorted(said.gateways), list(said.services)) == (list(HUBS), ["default/web"])
