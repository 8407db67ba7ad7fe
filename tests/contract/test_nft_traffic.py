# SPDX-License-Identifier: Apache-2.0
"""What the firewall does to real packets: a gateway with two pods, a LAN, and a link in a tunnel's place."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network

import msgspec
import pytest

from appliance.netcore.desired.facts import Facts, Ipsec
from appliance.netcore.desired.firewall import firewall
from appliance.netcore.kernel.nft import NftTable
from appliance.netcore.plan.model import Backend, Cni, Plan, PortRange, Rule, Service, ServicePort
from appliance.netcore.plan.values import Protocol, Tier
from tests.contract.gateway import Gateway, add, add_bridge, gateway, serving, settle
from tests.contract.namespace import ip
from tests.unit.plan.plans import edge_plan

pytestmark = pytest.mark.lab

UP = Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec0")
DOWN = Facts()
VIPS = ("10.96.0.10", "fd00:96::10")
POD1 = ("10.200.1.5", "fd00:200:0:1::5")
POD2 = ("10.200.1.6", "fd00:200:0:1::6")
BRIDGE = ("10.200.1.1", "fd00:200:0:1::1")
CLOUD = ("10.200.21.5", "fd00:200:0:21::5")
SHOP2 = ("10.200.2.5", "fd00:200:0:2::5")
UNKNOWN = ("10.200.99.5", "fd00:200:0:99::5")
OVERLAY = ("10.255.0.1", "fd00:255::1")
REMOTE_OVERLAY = ("10.255.0.21", "fd00:255::21")
BOTH = pytest.mark.parametrize("family", [0, 1], ids=["v4", "v6"])


def plan(**changes: object) -> Plan:
    """shop1 with a pod network, and `web` on both families, here and in the cloud."""
    backends = {
        f"{name}{family}": Backend(address=ip_address(addresses[family]), port=8080, tier=tier)
        for name, addresses, tier in (("here", POD1, Tier.NODE), ("cloud", CLOUD, Tier.CLOUD))
        for family in (0, 1)
    }
    port = ServicePort(protocol=Protocol.TCP, port=80, backends=backends)
    web = Service(addresses=tuple(map(ip_address, VIPS)), ports={"http": port})
    made = msgspec.structs.replace(edge_plan(), cni=Cni(), services={"default/web": web})
    return msgspec.structs.replace(made, **changes)


def put(wish: Plan, facts: Facts) -> None:
    """In this thread, whose namespace is the gateway's."""
    asyncio.run(NftTable().replace(firewall(wish, facts)))


@pytest.fixture(scope="module")
def site() -> Iterator[Gateway]:
    """shop1: pods behind the bridge, the fabric behind `ipsec0`, a LAN that has the default route."""
    with gateway() as site:
        add_bridge("br-orillo", (f"{BRIDGE[0]}/24", f"{BRIDGE[1]}/64"))
        gate = (f"{BRIDGE[0]}/24", f"{BRIDGE[1]}/64")
        add(site, "pod1", "pod1", gate, (f"{POD1[0]}/24", f"{POD1[1]}/64"), "br-orillo")
        add(site, "pod2", "pod2", gate, (f"{POD2[0]}/24", f"{POD2[1]}/64"), "br-orillo")
        far = ("172.31.0.2/30", "fd09::2/126", *CLOUD, *SHOP2, *UNKNOWN, *REMOTE_OVERLAY)
        add(site, "far", "ipsec0", ("172.31.0.1/30", "fd09::1/126"), far)
        lan = ("192.168.1.50/24", "fd08::50/64", *CLOUD)
        add(site, "lan", "eth0", ("192.168.1.10/24", "fd08::10/64"), lan)
        add_bridge("orillo0", (f"{OVERLAY[0]}/32", f"{OVERLAY[1]}/128"))
        for dst in ("10.200.0.0/16", "10.255.0.0/16"):
            ip(f"route add {dst} via 172.31.0.2 src {OVERLAY[0]}")
        for dst in ("fd00:200::/48", "fd00:255::/64"):
            ip(f"-6 route add {dst} via fd09::2 src {OVERLAY[1]}")
        ip(f"route add 10.96.0.0/16 dev orillo0 src {OVERLAY[0]}")
        ip(f"-6 route add fd00:96::/112 dev orillo0 src {OVERLAY[1]}")
        settle()
        with serving(*site.neighbours.values()):
            yield site


@BOTH
def test_a_service_is_answered_by_the_nearest_and_spills_over(site: Gateway, family: int) -> None:
    pod1, pod2 = site.neighbours["pod1"], site.neighbours["pod2"]
    put(plan(), UP)
    # Pods on one bridge see the gateway as client, or their answers would miss it.
    assert pod2.connect(VIPS[family], 80).split()[:2] == ["pod1", BRIDGE[family]]
    assert pod1.connect(VIPS[family], 80).split()[:2] == ["pod1", BRIDGE[family]]
    assert site.connect(VIPS[family], 80).split()[0] == "pod1"
    gone = frozenset((ip_address(address), 8080) for address in POD1)
    put(plan(), replace(UP, dead=gone))
    # A peer knows pods by their own addresses.
    assert pod2.connect(VIPS[family], 80).split()[:2] == ["far", POD2[family]]


@BOTH
def test_a_service_that_nobody_answers_is_refused_at_once(site: Gateway, family: int) -> None:
    services = {"default/web": msgspec.structs.replace(plan().services["default/web"], strict=True)}
    gone = frozenset((ip_address(address), 8080) for address in POD1)
    put(plan(services=services), replace(UP, dead=gone))
    assert site.neighbours["pod2"].connect(VIPS[family], 80) == "ECONNREFUSED"
    assert site.neighbours["pod2"].connect(VIPS[family], 81) == "ECONNREFUSED"
    assert site.connect(VIPS[family], 80) == "ECONNREFUSED"


@BOTH
def test_peers_reach_what_the_policy_lets_them(site: Gateway, family: int) -> None:
    far, pod2 = site.neighbours["far"], site.neighbours["pod2"]
    put(plan(), UP)
    assert far.connect(POD1[family], source=CLOUD[family]).split()[:2] == ["pod1", CLOUD[family]]
    assert far.connect(POD1[family], source=SHOP2[family]).split()[0] == "pod1"
    assert pod2.connect(SHOP2[family]).split()[:2] == ["far", POD2[family]]
    # Inside the fabric, but nobody that this device was told of.
    assert far.connect(POD1[family], source=UNKNOWN[family]) == "silence"
    assert pod2.connect(UNKNOWN[family]) == "silence"
    # The host itself is heard at its overlay address, and not at those of its LAN or of its bridge's peers.
    assert far.connect("192.168.1.10" if family == 0 else "fd08::10", source=CLOUD[family]) == "silence"


@BOTH
def test_direction_and_ports_of_a_rule_hold(site: Gateway, family: int) -> None:
    far, pod2 = site.neighbours["far"], site.neighbours["pod2"]
    put(plan(policy={"out": Rule(source="edge", destination="cloud")}), UP)
    assert pod2.connect(CLOUD[family]).split()[0] == "far"
    assert far.connect(POD1[family], source=CLOUD[family]) == "silence"
    for first, last, heard in ((8080, 8080, True), (8000, 8100, True), (9000, 9001, False)):
        allow = (PortRange(protocol=Protocol.TCP, first=first, last=last),)
        put(plan(policy={"in": Rule(source="cloud", destination="edge", allow=allow)}), UP)
        assert (far.connect(POD1[family], source=CLOUD[family]) != "silence") is heard
    udp = (PortRange(protocol=Protocol.UDP), PortRange(protocol=Protocol.ICMP))
    put(plan(policy={"in": Rule(source="cloud", destination="edge", allow=udp)}), UP)
    assert far.connect(POD1[family], source=CLOUD[family]) == "silence"
    far.run("ping", "-c1", "-W1", "-I", CLOUD[family], POD1[family])


def test_nothing_for_the_fabric_leaves_in_clear(site: Gateway) -> None:
    """The routes are wrong on purpose: all of the fabric by the LAN."""
    ip("route add 10.200.0.0/17 via 192.168.1.50")
    asyncio.run(NftTable().delete())
    pod1 = site.neighbours["pod1"]
    # Without us it does leave: the counter counts.
    assert pod1.connect(CLOUD[0]).split()[0] == "lan"
    before = site.seen("lan")
    assert before > 0
    for facts in (UP, DOWN):
        put(plan(), facts)
        assert pod1.connect(CLOUD[0]) == "silence"
        assert pod1.connect(UNKNOWN[0]) == "silence"
        assert site.connect(CLOUD[0]) != "lan"
        gone = frozenset({(ip_address(POD1[0]), 8080)})
        put(plan(), replace(facts, dead=gone))
        assert not pod1.connect(VIPS[0], 80).startswith("lan")
        assert not site.connect(VIPS[0], 80).startswith("lan")
    assert site.seen("lan") == before
    ip("route del 10.200.0.0/17")


@BOTH
def test_no_tunnel_known_is_no_way_to_the_fabric(site: Gateway, family: int) -> None:
    put(plan(), DOWN)
    assert site.neighbours["pod1"].connect(CLOUD[family]) == "silence"
    assert site.neighbours["far"].connect(POD1[family], source=CLOUD[family]) == "silence"
    assert site.neighbours["pod2"].connect(POD1[family]).split()[0] == "pod1"


@BOTH
def test_a_neighbour_on_the_lan_is_no_peer(site: Gateway, family: int) -> None:
    lan = site.neighbours["lan"]
    put(plan(), UP)
    assert lan.connect(POD1[family], source=CLOUD[family]) == "silence"
    assert lan.connect(POD1[family]) == "silence"
    assert lan.connect(OVERLAY[family], source=CLOUD[family]) == "silence"


@BOTH
def test_pods_go_out_as_the_gateway_and_come_back(site: Gateway, family: int) -> None:
    put(plan(), UP)
    lan, gate = (("192.168.1.50", "192.168.1.10"), ("fd08::50", "fd08::10"))[family]
    assert site.neighbours["pod1"].connect(lan).split()[:2] == ["lan", gate]


@BOTH
def test_hosts_of_an_exposed_lan(site: Gateway, family: int) -> None:
    """They need no route to answer; one to us is enough to be peers themselves."""
    host, gate, net = (
        ("192.168.1.50", "192.168.1.10", "192.168.1.0/24"),
        ("fd08::50", "fd08::10", "fd08::/64"),
    )[family]
    lan, far, pod1 = (site.neighbours[name] for name in ("lan", "far", "pod1"))
    put(plan(), UP)
    assert far.connect(host, source=CLOUD[family]) == "silence"
    exposed = (ip_network(net),)
    put(plan(lan=exposed, fabric=(*plan().fabric, *exposed)), UP)
    assert far.connect(host, source=CLOUD[family]).split()[:2] == ["lan", gate]
    assert far.connect(host, source=UNKNOWN[family]) == "silence"
    assert far.connect(gate, source=CLOUD[family]) == "silence"  # the device's own services are not offered
    assert pod1.connect(host).split()[:2] == ["lan", gate]
    assert site.connect(host).split()[0] == "lan"
    assert lan.connect(SHOP2[family]).split()[:2] == ["far", host]
    assert lan.connect(UNKNOWN[family]) == "silence"
    assert lan.connect(POD1[family], source=CLOUD[family]) == "silence"
    one_way = {"in": Rule(source="cloud", destination="edge")}
    put(plan(lan=exposed, policy=one_way), UP)
    assert lan.connect(SHOP2[family]) == "silence"
    assert far.connect(host, source=CLOUD[family]).split()[0] == "lan"


@BOTH
def test_segments_fit_the_tunnel_both_ways(site: Gateway, family: int) -> None:
    timestamps = 12
    limit = 1400 - (40, 60)[family] - timestamps
    put(plan(), UP)
    assert int(site.neighbours["pod1"].connect(CLOUD[family]).split()[2]) == limit
    assert int(site.neighbours["far"].connect(POD1[family], source=CLOUD[family]).split()[2]) == limit
    assert int(site.neighbours["pod1"].connect(POD2[family]).split()[2]) > limit
