# SPDX-License-Identifier: Apache-2.0
"""What is read of the host's own ports, on a real kernel in a namespace of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, ip_address, ip_interface

import pytest

from appliance.netcore.kernel.arp import who_has
from appliance.netcore.kernel.pod_links import Neighbour, PodLinkDoor
from appliance.netcore.kernel.rtnetlink import Netlink
from appliance.netcore.kernel.uplinks import Gateway, OtherRule, UplinkDoor
from appliance.netcore.probe.ike import Answer, ask
from tests.contract.namespace import ip, own_namespace

pytestmark = pytest.mark.lab


@pytest.fixture(autouse=True)
def namespace() -> Iterator[None]:
    """`eth0` and `eth1` are the two ends of one cable."""
    with own_namespace():
        ip("link add eth0 type veth peer name eth1")
        ip("link set eth0 up")
        ip("link set eth1 up")
        yield


@asynccontextmanager
async def door() -> AsyncIterator[UplinkDoor]:
    async with Netlink() as netlink:
        yield UplinkDoor(netlink)


async def test_ports_have_signal_and_addresses_and_inner_links_are_none() -> None:
    ip("address add 192.0.2.10/24 dev eth0")
    ip("link add br0 type bridge")
    async with door() as uplinks:
        ports = {port.name: port for port in await uplinks.ports(["eth1"])}
        assert "br0" not in ports
        assert "lo" not in ports
        assert "eth1" not in ports
        assert ports["eth0"].addresses == (ip_interface("192.0.2.10/24"),)
        assert (ports["eth0"].up, ports["eth0"].carrier) == (True, True)
        ip("link set eth1 down")
        (port,) = await uplinks.ports(["eth1"])
        assert (port.up, port.carrier) == (True, False)


async def test_default_routes_come_in_the_kernels_order() -> None:
    ip("address add 192.0.2.10/24 dev eth0")
    ip("route add default via 192.0.2.2 metric 200")
    ip("route add default via 192.0.2.1 metric 100")
    ip("route add unreachable default metric 4000")
    async with door() as uplinks:
        assert await uplinks.gateways() == (
            Gateway("eth0", ip_address("192.0.2.1"), 100),
            Gateway("eth0", ip_address("192.0.2.2"), 200),
        )
        way = await uplinks.way(ip_address("203.0.113.9"))
        assert way is not None
        assert (way.device, way.source) == ("eth0", ip_address("192.0.2.10"))


async def test_no_route_is_no_way() -> None:
    async with door() as uplinks:
        assert await uplinks.way(ip_address("203.0.113.9")) is None


async def test_rules_of_others_before_ours_are_seen_and_ours_are_not() -> None:
    ip("rule add pref 100 lookup 42")
    ip("rule add pref 7410 lookup 7410")
    async with door() as uplinks:
        assert await uplinks.rules_before_ours() == (OtherRule(4, 100, 42),)


async def test_the_pods_bridge_with_its_ends_and_neighbours() -> None:
    ip("link add br-orillo mtu 1400 type bridge")
    ip("link set br-orillo up")
    ip("link set eth1 master br-orillo")
    ip("address add 10.200.1.1/24 dev br-orillo")
    ip("neighbour add 10.200.1.5 lladdr 02:00:00:00:00:05 dev br-orillo nud reachable")
    async with Netlink() as netlink:
        door = PodLinkDoor(netlink)
        found = await door.bridge("br-orillo")
        assert await door.bridge("br-none") is None
    assert found is not None
    assert (found.up, found.links) == (True, ("eth1",))
    assert ip_address("10.200.1.1") in found.addresses
    known = Neighbour("02:00:00:00:00:05", "reachable")
    assert found.neighbours[ip_address("10.200.1.5")] == known


async def test_several_readers_share_one_socket() -> None:
    """The kernel refuses a second dump while one runs; ours wait for each other."""
    async with door() as uplinks:
        answers = await asyncio.gather(*(uplinks.ports() for _ in range(20)))
    assert all(answer == answers[0] for answer in answers)


async def test_arp_tells_who_else_has_an_address() -> None:
    ip("address add 192.0.2.10/24 dev eth0")
    async with door() as uplinks:
        macs = {port.name: port.mac for port in await uplinks.ports()}
    asked = IPv4Address("192.0.2.10")
    # From the far end of the cable: whoever is at this end says that it has the address.
    assert await who_has("eth1", macs["eth1"], IPv4Address(0), asked, 1.0) == macs["eth0"]
    nobody = IPv4Address("192.0.2.99")
    assert await who_has("eth1", macs["eth1"], IPv4Address(0), nobody, 0.3) == ""


async def test_own_firewall_is_told_from_a_silent_peer() -> None:
    """The kernel says it to the sender, and to nobody else."""
    ip("address add 192.0.2.10/24 dev eth0")
    table = "table inet x { chain out { type filter hook output priority 0; udp dport 500 drop\n }\n }\n"
    process = await asyncio.create_subprocess_exec("nft", "-f", "-", stdin=asyncio.subprocess.PIPE)
    await process.communicate(table.encode())
    assert await ask(ip_address("192.0.2.1"), 500, 1.0, marker=False) is Answer.BLOCKED
