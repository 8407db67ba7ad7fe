# SPDX-License-Identifier: Apache-2.0
"""Two clusters, real charons: a service of the one by its name in the other, also with no operator there.

One world for all tests, which are in this order.
"""

import tempfile
import time
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

#: How long new connections may fail after a gateway's death, in seconds.
FAILOVER = 5.0
#: A connection in the lab takes some milliseconds; in seconds.
_IMPATIENT = 0.5
_POOLS = ("10.200.0.0/16", "10.254.0.0/16", *(pool for name in CLUSTERS for pool in OVERLAY[name]))


@pytest.fixture(scope="module")
def clusters() -> Iterator[dict[str, Cluster]]:
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        namespaces = Namespaces(Path(directory))
        built = dict[str, Cluster]()
        try:
            built |= build(namespaces)
            yield built
        finally:
            for cluster in built.values():
                cluster.close()
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
    assert "east-hub" in west.operator.must("cluster", "list")
    for wire in (line, between):
        wire.stop()
    assert between.count("udp port 4500") > 0
    assert not between.lines("not udp port 4500", most=3)
    assert not line.lines("ip or ip6", most=3)


def test_the_nearest_answers_and_the_far_one_when_it_is_gone(clusters: dict[str, Cluster]) -> None:
    east, west = clusters["east"], clusters["west"]
    east.offer("edge")
    expect(east, "east-edge-pod")
    expect(west, "west-worker-pod")
    assert {answer(east) for _ in range(5)} == {"east-edge-pod"}
    # An edge behind the far gateway, seen from an edge and from a worker.
    west.offer()
    expect(west, "east-edge-pod")
    expect(west, "east-edge-pod", what="worker")
    west.offer("edge")
    east.offer()
    expect(east, "west-edge-pod")


def test_a_gateway_dies(clusters: dict[str, Cluster]) -> None:
    """Each new connection goes by one of the other cluster's gateways: soon by the one that is left."""
    east, west = clusters["east"], clusters["west"]
    until(lambda: tunnels(east) == "2/2", "both gateways are reached", 40, 0.5)
    hold(lambda: answer(east) == "west-edge-pod", "both of them carry", 2, 0.1)
    west.lose_power("spare")
    silence = last_failure(east, 8)
    assert silence <= FAILOVER, f"connections failed until {silence:.1f} s after the gateway's death"
    until(lambda: tunnels(east) == "1/2", "that it is gone is told", 30, 0.5)
    west.get_power("spare")
    until(lambda: tunnels(east) == "2/2", "it is back", 60, 0.5)


def last_failure(cluster: Cluster, seconds: float) -> float:
    """Connect over and over for so long: how far from now the last one that failed was begun."""
    began, last = time.monotonic(), 0.0
    while (now := time.monotonic()) < began + seconds:
        if not cluster.pods["edge"].who_answers(NAME, SERVICE_PORT, patience=_IMPATIENT):
            last = now - began
    return last


def tunnels(cluster: Cluster) -> str:
    """How many of the other's gateways the operator knows to be reached."""
    (other,) = cluster.operator.read("cluster", "list")["clusters"]
    return str(other["tunnels"])


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
    return attempt("timeout", "1.5", "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}", ns=ns).ok


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
    for gateway in ("hub", "spare"):
        west.devices[gateway].kill(Daemon.CHARON)
    until(lambda: answer(east) == "", "nobody answers", 15, 0.2)
    for gateway in ("hub", "spare"):
        west.devices[gateway].start(Daemon.CHARON)
    expect(east, "west-edge-pod", 40)
