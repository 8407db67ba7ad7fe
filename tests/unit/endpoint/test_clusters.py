# SPDX-License-Identifier: Apache-2.0
"""Two clusters' operators: one enrols at the other, and each plans with what the other says."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from appliance.netcore.plan.token import Token
from cloud.ca.member import MemberError, identity_of, new_request, window_of
from cloud.ca.policy import LEAF_VALIDITY
from cloud.clusters import ClusterError, own_document, take
from cloud.endpoint.joining import ExchangeError, join, renew, renewal_due, session_of
from cloud.endpoint.server import Server
from cloud.enrolment import create_token, revoke
from cloud.enrolment import enroll as enroll_device
from cloud.intent import Apply, Delete, File, apply, delete
from cloud.links import keep, links_in
from cloud.paths import CloudPaths
from cloud.settings import Pools
from cloud.source.clusters import Gateway
from cloud.views import Nothing, list_clusters
from tests.unit.ca.requests import new_key, request_for
from tests.unit.endpoint.operators import Clock, Operator, new_app, settings

_HOUR = timedelta(hours=1)
_SITE = """
apiVersion: v1
kind: Node
metadata:
  name: hub-1
  labels: {{node-role.kubernetes.io/connector: ""}}
  annotations: {{fabedge.io/node-public-addresses: "{address}"}}
status: {{addresses: [{{type: InternalIP, address: {address}}}]}}
---
apiVersion: v1
kind: Node
metadata: {{name: shop1, labels: {{node-role.kubernetes.io/edge: ""}}}}
---
apiVersion: v1
kind: Node
metadata: {{name: worker-1}}
status: {{addresses: [{{type: InternalIP, address: 172.16.0.21}}]}}
---
apiVersion: orillo.io/v1alpha1
kind: Cluster
metadata: {{name: {other}}}
"""
_WEB = """
apiVersion: v1
kind: Service
metadata: {name: web, labels: {orillo.io/global: "true"}}
spec: {clusterIP: 10.96.0.10, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: ["172.16.0.21"], nodeName: worker-1}]
"""


@dataclass
class Member(Operator):
    """An operator whose clock can be set."""

    clock: Clock


@asynccontextmanager
async def operating(name: str, overlay: str, address: str, other: str) -> AsyncIterator[Member]:
    """The operator of a cluster with a connector, an edge and a worker, all of them enrolled."""
    pools = Pools(overlay=(ip_network(overlay),))
    with tempfile.TemporaryDirectory(prefix="or-cloud-") as folder:
        paths = CloudPaths(Path(folder))
        clock = Clock()
        app = new_app(paths, clock, msgspec.structs.replace(settings(), cluster=name, pools=pools))
        server = await Server.start(app, paths)
        try:
            operator = Member(app, server, paths, clock)
            say(operator, _SITE.format(address=address, other=other))
            for device in ("hub-1", "shop1", "worker-1"):
                token = create_token(app, device, _HOUR)
                enroll_device(app, token.id, token.secret, request_for(new_key()))
            yield operator
        finally:
            await server.close()
            app.store.close()


@pytest.fixture
async def clusters() -> AsyncIterator[tuple[Member, Member]]:
    async with AsyncExitStack() as stack:
        east = await stack.enter_async_context(operating("east", "10.251.0.0/24", "203.0.113.11", "west"))
        west = await stack.enter_async_context(operating("west", "10.252.0.0/24", "203.0.113.12", "east"))
        yield east, west


def say(operator: Operator, text: str) -> None:
    apply(operator.app, Apply((File("site.yaml", text),), "test"))


def plan_of(operator: Operator, name: str) -> dict[str, Any]:
    plan = operator.app.store.plans.get(name)
    assert plan
    assert plan.document
    document: dict[str, Any] = json.loads(plan.document)
    return document


async def until(holds: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


async def enrol(member: Operator, at: Operator) -> None:
    """Enrol one operator at another, as `orillo-cloud cluster join` does."""
    token = token_for(member, at)
    name, identity, ca = await join(member.app.settings.cluster, token)
    keep(member.paths.links, name, token.control_url, ca, identity)


def token_for(member: Operator, at: Operator) -> Token:
    made = create_token(at.app, member.app.settings.cluster, _HOUR)
    where = {"enroll_url": at.enrolment(""), "control_url": at.control("")}
    return msgspec.structs.replace(made, **where)


async def test_each_plans_with_what_the_other_says(clusters: tuple[Member, Member]) -> None:
    east, west = clusters
    assert "fabric" in plan_of(east, "shop1")
    alone = plan_of(east, "shop1")
    await enrol(west, east)
    await until(lambda: "east--hub-1" in plan_of(west, "hub-1")["peers"])
    await until(lambda: "west--hub-1" in plan_of(east, "hub-1")["peers"])
    gateway = plan_of(east, "hub-1")["peers"]["west--hub-1"]
    assert (gateway["addresses"], gateway["cluster"]) == (["203.0.113.12"], "west")
    assert gateway["ca"] == [west.app.issuer.certificate_pem]
    assert "ca" not in plan_of(east, "shop1")["peers"]["west--hub-1"]

    # A service of the west's appears in the east, and both have the same name for it.
    say(west, _WEB)
    await until(lambda: "default/web.global" in plan_of(east, "shop1")["services"])
    (offered,) = own_document(west.app).services["default/web"].values()
    far = plan_of(east, "shop1")["services"]["default/web.global"]["ports"]["http"]
    (backend,) = far["backends"].values()
    west_overlay = plan_of(west, "hub-1")["overlay"][0]
    assert (backend["address"], backend["port"], backend["tier"]) == (
        west_overlay,
        offered.gateway,
        "cluster",
    )
    for operator in clusters:
        records = plan_of(operator, "shop1")["dns"]["records"]
        address, *_ = records["web.default.svc.global"]
        assert ip_address(address) in ip_network("10.254.0.0/16")
    # The gateway stands for it by a port of its own, and its backends are the near ones.
    stands = plan_of(west, "hub-1")["services"]["default/web.gateway"]
    assert (stands["addresses"], stands["ports"]["http"]["port"]) == ([west_overlay], offered.gateway)
    assert list(stands["ports"]["http"]["backends"]) == ["172.16.0.21:8080"]
    near = plan_of(west, "worker-1")["services"]["default/web.global"]["ports"]["http"]["backends"]
    assert [each["tier"] for each in near.values()] == ["node"]

    # The object taken away, all of it is gone.
    delete(east.app, Delete("cluster", "west", "test"))
    now = plan_of(east, "shop1")
    assert [now[part] for part in ("peers", "policy", "services", "fabric")] == [
        alone[part] for part in ("peers", "policy", "services", "fabric")
    ]


async def test_a_silent_cluster_stays_as_it_was(clusters: tuple[Member, Member]) -> None:
    """Its operator ends; what it said last is in force, also after a restart of ours."""
    east, west = clusters
    say(west, _WEB)
    await enrol(west, east)
    await until(lambda: "default/web.global" in plan_of(east, "shop1")["services"])
    before = plan_of(east, "shop1")
    await west.server.close()
    east.app.refresh()
    say(east, _SITE.format(address="203.0.113.11", other="west"))  # nor does applying its object anew
    assert plan_of(east, "shop1") == before


async def test_how_it_stands_is_listed(clusters: tuple[Member, Member]) -> None:
    east, west = clusters
    (before,) = list_clusters(east.app, Nothing())["clusters"]
    assert (before["name"], before["gateways"], before["tunnels"]) == ("west", [], "")
    assert "cluster join" in before["message"]
    await enrol(west, east)
    await until(lambda: list_clusters(east.app, Nothing())["clusters"][0]["gateways"] == ["hub-1"])
    (now,) = list_clusters(east.app, Nothing())["clusters"]
    assert (now["tunnels"], now["message"]) == ("0/1", "")
    assert {each["type"]: each["status"] for each in now["conditions"]}["Heard"] == "True"


async def test_a_revoked_cluster_is_heard_no_more(clusters: tuple[Member, Member]) -> None:
    east, west = clusters
    await enrol(west, east)
    await until(lambda: "west--hub-1" in plan_of(east, "hub-1")["peers"])
    assert revoke(east.app, "west", "test")
    say(west, _WEB)
    with pytest.raises(TimeoutError):
        await until(lambda: "default/web.global" in plan_of(east, "shop1")["services"], 1)


async def test_a_certificate_is_renewed_before_it_ends(clusters: tuple[Member, Member]) -> None:
    """West is let in for four more seconds; it has a new key by then, and is heard with that."""
    east, west = clusters
    clock, present = east.clock, east.clock.moment
    clock.moment = present - LEAF_VALIDITY + timedelta(seconds=4)
    await enrol(west, east)
    clock.moment = present
    file = west.paths.links / "east" / "identity.pem"
    first = window_of(file.read_bytes())
    assert first.not_after < present + timedelta(seconds=5)
    await until(lambda: window_of(file.read_bytes()).not_after > present + timedelta(days=80))
    # Once no connection that was made by the first one can be in use any more:
    await until(lambda: datetime.now(UTC) > first.not_after)
    say(west, _WEB)
    await until(lambda: "default/web.global" in plan_of(east, "shop1")["services"])
    assert west.app.talks.of("east").fault == ""
    (held,) = links_in(west.paths.links)
    assert held.ca == east.app.issuer.certificate_pem


async def test_a_certificate_that_could_not_be_renewed(clusters: tuple[Member, Member]) -> None:
    """It goes on while it is valid; one that has ended is told, with what to do."""
    east, west = clusters
    present = east.clock.moment
    east.clock.moment = present - LEAF_VALIDITY + timedelta(days=1)
    await enrol(west, east)
    await west.server.close()  # nobody but the test follows the link now
    (link,) = links_in(west.paths.links)
    async with session_of(link) as session:
        with pytest.raises(ExchangeError, match="Cannot connect"):
            await renew("west", msgspec.structs.replace(link, control_url="https://127.0.0.1:1"), session)
    assert links_in(west.paths.links) == [link]
    with pytest.raises(MemberError, match="join east again by a new token"):
        renewal_due(link, present + timedelta(days=2))


async def test_whose_certificate_comes_back_is_looked_at() -> None:
    key, _ = new_request("west")
    _, other = new_request("west")
    with tempfile.TemporaryDirectory(prefix="or-cloud-") as folder:
        app = new_app(CloudPaths(Path(folder)))
        leaf = app.issuer.issue(other, app.identity("west", "1"), app.now())
        app.store.close()
    with pytest.raises(MemberError, match="another key"):
        identity_of(key, leaf)


async def test_nobody_joins_without_the_pinned_ca(clusters: tuple[Member, Member]) -> None:
    east, west = clusters
    token = msgspec.structs.replace(token_for(west, east), ca_pin="0" * 64)
    with pytest.raises(ExchangeError, match="not the one that the token vouches for"):
        await join("west", token)
    spent = token_for(west, east)
    await join("west", spent)
    with pytest.raises(ExchangeError, match="this token was used"):
        await join("west", spent)


async def test_a_cluster_whose_name_is_a_path_is_not_joined(clusters: tuple[Member, Member]) -> None:
    """What is kept of it is in a folder of that name."""
    east, west = clusters
    token = token_for(west, east)
    east.app.settings = msgspec.structs.replace(east.app.settings, cluster="../../etc")
    with pytest.raises(ExchangeError, match="no name"):
        await join("west", token)


async def test_what_a_cluster_may_not_say(clusters: tuple[Member, Member]) -> None:
    """Nothing of ours, nothing for others, and nothing without its object."""
    east, west = clusters
    good = own_document(west.app)
    gateway = good.gateways["hub-1"]

    def bad(**change: object) -> Any:
        return replace(good, gateways={"hub-1": replace(gateway, **change)})

    for document, problem in (
        (replace(good, cluster="north"), "speaks for the cluster north"),
        (bad(ike_id="1.hub-1.east"), "no name of west"),
        (bad(overlay=(ip_address("10.251.0.9"),)), "in the overlay pool"),
        (bad(overlay=(ip_address("10.200.0.9"),)), "in the pod pool"),
        (replace(good, gateways={"Hub 1": gateway}), "no name of west"),
    ):
        with pytest.raises(ClusterError, match=problem):
            take(east.app, "west", document)
    with pytest.raises(ClusterError, match="there is no Cluster south"):
        take(east.app, "south", replace(good, cluster="south"))
    with pytest.raises(ClusterError, match="there is no Cluster shop1"):
        take(east.app, "shop1", replace(good, cluster="shop1"))
    pin = f"spec: {{caPin: {'0a' * 32}}}\n"
    pinned = "apiVersion: orillo.io/v1alpha1\nkind: Cluster\nmetadata: {name: west}\n" + pin
    say(east, pinned)
    with pytest.raises(ClusterError, match="not the one that Cluster west has"):
        take(east.app, "west", good)
    assert isinstance(gateway, Gateway)
