# SPDX-License-Identifier: Apache-2.0
"""Two clusters, real charons: a service of the one by its name in the other, also with no operator there.

One world for all tests, which are in this order.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.netcore.ownership.ownership import PORT as OWNERSHIP
from tests.lab import capture
from tests.lab.command import attempt
from tests.lab.device import Daemon
from tests.lab.namespaces import Namespaces
from tests.lab.pods import PORT
from tests.lab.sites import INTERNET
from tests.lab.two_clusters import CLUSTERS, NAME, OVERLAY, SERVICE_PORT, Cluster, build
from tests.lab.wait import hold, until

pytestmark = pytest.mark.lab

_POOLS = ("10.200.0.0/16", "10.254.0.0/16", *(pool for name in CLUSTERS for pool in OVERLAY[name]))


@pytest.fixture(scope="module")
def clusters() -> Iterator[dict[str, Cluster]]:
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        namespaces = Namespaces(Path(directory))
        try:
            yield build(namespaces)
        finally:
            namespaces.remove()


def answer(cluster: Cluster, what: str = "edge") -> str:
    """Who answers a pod of this cluster by the service's name in all clusters."""
    return cluster.pods[what].who_answers(NAME, SERVICE_PORT)


def expect(cluster: Cluster, who: str, seconds: float = 15, what: str = "edge") -> None:
    until(lambda: answer(cluster, what) == who, f"{who} answers a pod of {cluster.host(what)}", seconds, 0.2)


def test_a_service_of_another_cluster_is_reached_by_its_name(clusters: dict[str, Cluster]) -> None:
    """From an edge behind NAT and from a worker; the internet sees ESP alone."""
    east, west = clusters["east"], clusters["west"]
    internet, folder = east.namespaces.name(INTERNET), east.namespaces.workdir
    inner = " or ".join(f"net {pool}" for pool in _POOLS)
    line = capture.start(internet, "to-east-edge", folder / "line.pcap", f"not arp and ({inner})")
    # Between the two clouds; what a worker says to its own connector is the cloud's own network's.
    ends = f"(host {overlay(east)} and host {overlay(west)}) or (udp port 4500 and udp[8:4] != 0)"
    between = capture.start(internet, "dc", folder / "between.pcap", f"not arp and ({ends})")
    west.offer("worker")
    assert answer(east) == ""
    token = east.operator.token("west")
    west.operator.must("cluster", "join", "-", feed=token + "\n")
    expect(east, "west-worker-pod", 40)
    expect(east, "west-worker-pod", what="worker")
    assert "east-hub" in west.operator.must("cluster", "list")
    for wire in (line, between):
        wire.stop()
    assert between.count("udp port 4500") > 0
    assert not between.lines("not udp port 4500", most=3)
    assert not line.lines("ip or ip6", most=3)


def test_the_nearest_answers_and_the_far_one_when_it_is_gone(clusters: dict[str, Cluster]) -> None:
    east, west = clusters["east"], clusters["west"]
    east.offer("worker")
    expect(east, "east-worker-pod")
    expect(west, "west-worker-pod")
    assert {answer(east) for _ in range(5)} == {"east-worker-pod"}
    east.offer()
    expect(east, "west-worker-pod")
    # What stands behind the far gateway is its own cluster's business: an edge, now.
    west.offer("edge")
    expect(east, "west-edge-pod")


def test_nothing_but_what_is_offered_is_reached(clusters: dict[str, Cluster]) -> None:
    """Neither the gateway's own ports nor anything behind it; its echo tells of the tunnel."""
    east, west = clusters["east"], clusters["west"]
    gateway = overlay(west)
    hub, pod = east.devices["hub"].ns, east.pods["edge"].ns
    until(lambda: echoes(gateway, pod), "the gateway's echo", 10)
    assert opens(str(east.pods["edge"].v4), PORT, pod), "what is there is seen to be there"
    for ns in (hub, pod):
        assert not opens(gateway, OWNERSHIP, ns)


def opens(address: str, port: int, ns: str) -> bool:
    """Whether a TCP connection can be made; bash(1) makes one of a path below /dev/tcp."""
    return attempt("timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}", ns=ns).ok


def echoes(address: str, ns: str) -> bool:
    return attempt("ping", "-n", "-q", "-c", "1", "-W", "1", address, ns=ns).ok


def overlay(cluster: Cluster) -> str:
    plan = cluster.operator.read("plan", "show", cluster.host("hub"))
    return str(plan["overlay"][0])


def test_a_silent_cluster_keeps_its_services(clusters: dict[str, Cluster]) -> None:
    """Its operator is killed; then ours starts anew, and knows what it was told."""
    east, west = clusters["east"], clusters["west"]
    assert west.operator.server
    west.operator.server.kill()
    hold(lambda: answer(east) == "west-edge-pod", "the service answers without its operator", 5, 0.5)
    east.operator.stop()
    east.operator.start()
    expect(east, "west-edge-pod")
    # With its tunnels gone too, nothing leaves in clear, and nobody answers.
    west.devices["hub"].kill(Daemon.CHARON)
    until(lambda: answer(east) == "", "nobody answers", 15, 0.2)
    west.devices["hub"].start(Daemon.CHARON)
    expect(east, "west-edge-pod", 40)
