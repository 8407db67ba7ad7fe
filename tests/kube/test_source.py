# SPDX-License-Identifier: Apache-2.0
"""The source on a real API server: whatever happens, its view becomes the server's list."""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloud.source import follower
from cloud.source.api import ExpiredError
from tests.kube.cluster import api_for, following, settles
from tests.kube.proxy import Proxy
from tests.kube.server import KubeServer, wait_until
from tests.kube.things import (
    COMMUNITIES,
    DEFINITIONS,
    DEVICES,
    EDGE,
    NODES,
    SERVICES,
    SLICES,
    community,
    device,
    endpoint_slice,
    fabedge_definitions,
    node,
    service,
)

#: Seconds that a view of thousands of objects may take on two busy processors.
MANY = 60.0


@pytest.fixture
async def proxy(cluster: KubeServer) -> AsyncIterator[Proxy]:
    """A path to the server that can be disturbed."""
    async with Proxy(cluster.port) as opened:
        yield opened


async def test_add_change_and_delete_of_every_kind(cluster: KubeServer) -> None:
    async with following(api_for(cluster)) as source:
        await settles(cluster, source)
        cluster.ask("POST", NODES, node("shop1", "10.244.1.0/24"))
        cluster.ask("POST", SERVICES, service("web"))
        cluster.ask("POST", SLICES, endpoint_slice("web-1", "web", "10.244.1.9", "shop1"))
        cluster.ask("POST", COMMUNITIES, community("shops", "shop1"))
        cluster.ask("POST", DEVICES, device("shop1", cloud="deny"))
        await settles(cluster, source)
        assert {key[0] for key in source.all()} >= {"Node", "Service", "EndpointSlice", "Community", "Device"}
        cluster.ask("PATCH", f"{COMMUNITIES}/shops", {"spec": {"members": ["shop1", "shop2"]}})
        cluster.ask("PATCH", f"{DEVICES}/shop1", {"spec": {"role": "edge"}})
        cluster.ask("PATCH", f"{SLICES}/web-1", {"endpoints": []})
        await settles(cluster, source)
        cluster.ask("DELETE", f"{NODES}/shop1")
        cluster.ask("DELETE", f"{COMMUNITIES}/shops")
        cluster.ask("DELETE", f"{SLICES}/web-1")
        await settles(cluster, source)
        assert ("Node", "", "shop1") not in source.all()


async def test_labels_that_move_in_and_out(cluster: KubeServer) -> None:
    label = "kubernetes.io/service-name"
    cluster.ask("POST", NODES, node("shop1"))
    cluster.ask("POST", SLICES, endpoint_slice("web-1", "web", "10.244.1.9"))
    async with following(api_for(cluster)) as source:
        await settles(cluster, source)
        for value in (None, "web", None):
            cluster.ask("PATCH", f"{SLICES}/web-1", {"metadata": {"labels": {label: value}}})
            await settles(cluster, source)
            assert (("EndpointSlice", "default", "web-1") in source.all()) == (value is not None)
        for labels in ({next(iter(EDGE)): None}, EDGE):
            cluster.ask("PATCH", f"{NODES}/shop1", {"metadata": {"labels": labels}})
            await settles(cluster, source)


async def test_what_is_not_ours_is_not_kept(cluster: KubeServer) -> None:
    """Neither in memory nor as news: a node's heartbeat changes nothing."""
    cluster.ask("POST", NODES, node("shop1", "10.244.1.0/24"))
    note = {"example.com/note": "x" * 10_000}
    cluster.ask("PATCH", f"{NODES}/shop1", {"metadata": {"annotations": note}})
    async with following(api_for(cluster)) as source:
        await settles(cluster, source)
        assert len(str(source.all()[("Node", "", "shop1")].body)) < 400
        source.changed.clear()
        cluster.ask("PATCH", f"{NODES}/shop1", {"metadata": {"annotations": {"example.com/note": "y"}}})
        cluster.ask("PATCH", f"{NODES}/shop1/status", {"status": {"phase": "Running"}})
        assert not source.changed.is_set()
        cluster.ask("POST", COMMUNITIES, community("shops", "shop1"))
        await asyncio.wait_for(source.changed.wait(), 10)
        await settles(cluster, source)


async def test_a_gap_is_listed_again_and_deletes_are_found(
    cluster: KubeServer, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """The server forgets what happened while we were cut off: 410 inside the watch's stream."""
    caplog.set_level(logging.INFO)
    for name in ("shop1", "shop2", "shop3"):
        cluster.ask("POST", NODES, node(name))
    async with following(api_for(cluster, proxy.port)) as source:
        await settles(cluster, source)
        proxy.refuse(True)
        proxy.cut()
        cluster.ask("DELETE", f"{NODES}/shop2")
        cluster.ask("PATCH", f"{NODES}/shop3", {"metadata": {"labels": {"orillo.io/site": "north"}}})
        cluster.ask("POST", NODES, node("shop4"))
        cluster.stop()
        cluster.compact()
        cluster.start()
        await asyncio.to_thread(cluster.wait)
        proxy.refuse(False)
        await settles(cluster, source)
    assert "event=relist resource=nodes" in caplog.text


async def test_a_list_that_expires_between_two_pages(cluster: KubeServer) -> None:
    """410 as the status of a request."""
    for number in range(4):
        cluster.ask("POST", NODES, node(f"shop{number}"))
    first = cluster.ask("GET", NODES, limit="2")
    cluster.ask("DELETE", f"{NODES}/shop0")
    cluster.stop()
    cluster.compact()
    cluster.start()
    await asyncio.to_thread(cluster.wait)
    api = api_for(cluster)
    try:
        with pytest.raises(ExpiredError):
            await api.list(NODES, token=first["metadata"]["continue"])
        assert len((await api.list(NODES, page=2)).items) == 3
    finally:
        await api.close()


async def test_a_restart_loses_nothing_and_is_not_hammered(cluster: KubeServer, proxy: Proxy) -> None:
    """A server that starts answers 404 for custom resources; that is not the end of all communities."""
    cluster.ask("POST", COMMUNITIES, community("shops", "shop1"))
    async with following(api_for(cluster, proxy.port)) as source:
        await settles(cluster, source)

        async def watchful() -> None:
            while True:
                assert ("Community", "", "shops") in source.all()
                await asyncio.sleep(0.005)

        guard = asyncio.create_task(watchful())
        before = proxy.connections
        cluster.stop()
        proxy.cut()
        await asyncio.sleep(3)  # the time for which the requests are counted
        assert proxy.connections - before < 60  # six followers, doubling from a quarter of a second
        cluster.start()
        await asyncio.to_thread(cluster.wait)
        cluster.ask("POST", COMMUNITIES, community("depots", "depot"))
        await settles(cluster, source)
        assert not guard.done()
        guard.cancel()


async def test_a_watch_cut_in_the_middle_of_an_event(cluster: KubeServer, proxy: Proxy) -> None:
    cluster.ask("POST", NODES, node("shop1"))
    async with following(api_for(cluster, proxy.port)) as source:
        await settles(cluster, source)
        for size in (1, 700, 50_000, 150_000):
            proxy.cut_after(size)
            note = {"example.com/note": "x" * 200_000 + str(size)}
            labels = {"orillo.io/site": f"site{size}"}
            cluster.ask("PATCH", f"{NODES}/shop1", {"metadata": {"labels": labels, "annotations": note}})
            await settles(cluster, source)


async def test_a_silent_watch_is_opened_anew(cluster: KubeServer, proxy: Proxy) -> None:
    """A path that swallows everything looks like a cluster in which nothing happens."""
    async with following(api_for(cluster, proxy.port, silence=1.0)) as source:
        await settles(cluster, source)
        proxy.freeze()
        cluster.ask("POST", NODES, node("shop1"))
        await settles(cluster, source)


async def test_definitions_that_come_later_and_go(
    cluster: KubeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FabEdge's are not there as a rule: the source is ready without, and sees them once they are."""
    monkeypatch.setattr(follower, "_ABSENT_PAUSE", 0.2)
    async with following(api_for(cluster)) as source:
        await settles(cluster, source)
        cluster.ask("POST", DEFINITIONS, fabedge_definitions()[0])
        path = "/apis/fabedge.io/v1alpha1/communities"
        try:
            await asyncio.to_thread(wait_until, lambda: cluster.admin.get(path).status_code == 200, path)
            theirs = community("edges", "lab.shop1") | {"apiVersion": "fabedge.io/v1alpha1"}
            cluster.ask("POST", path, theirs)
            await settles(cluster, source)
            assert ("Community", "", "edges") in source.all()
        finally:
            cluster.ask("DELETE", f"{DEFINITIONS}/communities.fabedge.io")
        await settles(cluster, source)
        assert ("Community", "", "edges") not in source.all()


async def test_five_thousand_nodes(cluster: KubeServer) -> None:
    """Ten pages in the first list, a storm of events behind it, and a restart with all of them there."""

    def make(number: int) -> None:
        prefix = f"10.{100 + number // 256}.{number % 256}.0/24"
        cluster.ask("POST", NODES, node(f"node-{number}", prefix))

    with ThreadPoolExecutor(4) as threads:
        await asyncio.to_thread(lambda: list(threads.map(make, range(4000))))
        async with following(api_for(cluster)) as source:
            await settles(cluster, source, MANY)
            await asyncio.to_thread(lambda: list(threads.map(make, range(4000, 5000))))
            await settles(cluster, source, MANY)
            assert sum(key[0] == "Node" for key in source.all()) == 5000
            cluster.stop()
            cluster.start()
            await asyncio.to_thread(cluster.wait)
            cluster.ask("PATCH", f"{NODES}/node-7", {"metadata": {"labels": {"orillo.io/site": "north"}}})
            await settles(cluster, source, MANY)
            cluster.ask("DELETE", NODES)
            await settles(cluster, source, MANY)
            assert not any(key[0] == "Node" for key in source.all())
