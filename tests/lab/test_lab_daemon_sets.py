# SPDX-License-Identifier: Apache-2.0
"""The cloud's devices as the DaemonSets run them: their commands, rights and mounts, in real containers."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.command import attempt
from tests.lab.daemon_sets import CLOUD_POD, EDGE, Cluster, build, close
from tests.lab.namespaces import Namespaces
from tests.lab.wait import until

pytestmark = [pytest.mark.lab, pytest.mark.skipif(not shutil.which("runc"), reason="needs runc")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        namespaces = Namespaces(Path(directory))
        try:
            cluster = build(namespaces)
            yield cluster
            close(cluster)
        finally:
            namespaces.remove()


def test_an_edges_pod_and_a_pod_of_the_cluster_reach_each_other(cluster: Cluster) -> None:
    """By a tunnel to the connector's containers, and on by the cloud-node's."""
    until(
        lambda: cluster.edge_pod.ping(CLOUD_POD, count=1),
        "the edge's pod reaches the cluster's",
        40,
        explain=lambda: said(cluster),
    )
    worker = cluster.pods["worker-1"].node.ns
    ping = ("ping", "-n", "-q", "-c", "1", "-W", "1", "-I", str(CLOUD_POD), str(cluster.edge_pod.v4))
    until(lambda: attempt(*ping, ns=worker).ok, "the cluster's pod reaches the edge's", 10)


def said(cluster: Cluster) -> str:
    """The last words of every container."""
    pods = cluster.pods.values()
    return " | ".join(each.output[-300:] for pod in pods for each in pod.running.values())


def test_nothing_is_denied_to_them(cluster: Cluster) -> None:
    """What is listed in the manifest is enough: every table is applied, and nobody complains."""
    for name, pod in cluster.pods.items():
        status = json.loads(pod.running["agent"].exec("orillo", "status", "-o", "json"))
        failed = {table: count["reason"] for table, count in status["tables"].items() if count["failed"]}
        assert failed == {}, name
        assert status["conditions"] == [], name
        assert "Read-only" in pod.running["agent"].exec("touch", "/usr/here", "/opt/here")


def test_a_pod_that_starts_again_is_the_same_device(cluster: Cluster) -> None:
    """Its token is spent, and its traffic goes on meanwhile."""
    pod = cluster.pods["worker-1"]
    before = instance(cluster, "worker-1")
    pod.close()
    assert cluster.edge_pod.ping(CLOUD_POD, count=3)
    pod.start()
    assert "already enrolled as worker-1" in pod.first[0].output
    assert instance(cluster, "worker-1") == before
    assert EDGE in str(cluster.operator.read("device", "list"))


def instance(cluster: Cluster, name: str) -> str:
    devices = cluster.operator.read("device", "list")["devices"]
    return next(str(device["instance"]) for device in devices if device["name"] == name)
