# SPDX-License-Identifier: Apache-2.0
"""What is promised of links, routes and rules: on the fake, and on a kernel in the test's own namespace."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from ipaddress import ip_address, ip_interface, ip_network
from typing import Protocol

import pytest

from appliance.netcore.desired.facts import Facts, Ipsec
from appliance.netcore.desired.links import links, relay_links
from appliance.netcore.desired.routes import routes, rules
from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.kernel.nft_generation import generation
from appliance.netcore.kernel.rtnetlink import Netlink
from appliance.netcore.kernel.rtnetlink_bridge import BridgeDoor
from appliance.netcore.kernel.rtnetlink_links import LinkDoor
from appliance.netcore.kernel.rtnetlink_routes import RouteDoor
from appliance.netcore.kernel.rtnetlink_watch import changes
from appliance.netcore.kernel.sysctl import SysctlDoor
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Prefix, host_prefix
from appliance.netcore.reconcile import links as link_room
from appliance.netcore.reconcile import routes as route_room
from appliance.netcore.reconcile.bridge import GatewayTable
from appliance.netcore.reconcile.links import Links, LinkTable
from appliance.netcore.reconcile.routes import Routes, RouteTable, RuleTable
from appliance.netcore.reconcile.table import Phase, reconcile
from appliance.netcore.spec import (
    HOLDER,
    NEXT_HOPS,
    OWN_TABLE,
    TABLE,
    Connected,
    Link,
    LinkKind,
    Route,
    RouteKind,
    Rule,
    Vxlan,
)
from tests.contract.namespace import ip, own_namespace
from tests.fakes.netlink import FakeNetlink
from tests.unit.plan.plans import connector_plan, edge_plan

V4, V6 = ip_network("10.200.2.0/24"), ip_network("fd00:200:0:2::/64")
OVERLAY = frozenset({ip_address("10.255.0.1"), ip_address("fd00:255::1")})
HOLDING = Link(LinkKind.HOLDER, OVERLAY)


class Host(Protocol):
    """A host with a link `lan0` (192.168.1.10/24, fd01::10/64), a TUN `ipsec7`, and neighbours' objects.

    These are a route of another program in our very table, a rule of our priority to another table, and a
    route of charon's in its own.
    """

    links: Links
    routes: Routes

    def foreign(self) -> str: ...

    def charon_has_routes(self) -> bool: ...

    def take_our_name(self) -> None: ...

    async def connected(self) -> tuple[Connected, ...]: ...

    async def source(self, towards: str) -> object: ...


class FakeHost:
    def __init__(self) -> None:
        self.kernel = FakeNetlink(
            others={"lan0": (ip_interface("192.168.1.10/24"), ip_interface("fd01::10/64")), "ipsec7": ()},
            bridges={"br-orillo"},
            charon_routes=["10.9.0.0/16"],
            foreign_routes=["192.0.2.0/24 dev lan0 table 7410"],
            foreign_rules=["7410: lookup 99"],
        )
        self.links: Links = self.kernel
        self.routes: Routes = self.kernel

    def foreign(self) -> str:
        return f"{self.kernel.others} {self.kernel.foreign_routes} {self.kernel.foreign_rules}"

    def charon_has_routes(self) -> bool:
        return bool(self.kernel.charon_routes)

    def take_our_name(self) -> None:
        self.kernel.others[HOLDER] = ()

    async def connected(self) -> tuple[Connected, ...]:
        return await self.kernel.connected()

    async def source(self, towards: str) -> object:
        return await self.kernel.source_towards(ip_address(towards))


class KernelHost:
    def __init__(self, netlink: Netlink) -> None:
        self.links: Links = LinkDoor(netlink)
        self.door = RouteDoor(netlink)
        self.routes: Routes = self.door
        for command in (
            "link add lan0 type veth peer name lan1",
            "link set lan1 up",
            "link set lan0 up",
            "addr add 192.168.1.10/24 dev lan0",
            "addr add fd01::10/64 dev lan0 nodad",
            "tuntap add ipsec7 mode tun",
            "link set ipsec7 up",
            "link add br-orillo type bridge",
            "route add 192.0.2.0/24 dev lan0 table 7410 proto static",
            "rule add pref 7410 lookup 99",
            "route add 10.9.0.0/16 dev ipsec7 table 7411",
            "-6 route add fd09::/48 dev ipsec7 table 7411",
            "rule add pref 7411 fwmark 0x8000000 lookup 7411",
        ):
            ip(command)

    def foreign(self) -> str:
        shown = ("-br addr show lan0", "route show table 7410 proto static", "rule show lookup 99")
        return "".join(map(ip, shown))

    def charon_has_routes(self) -> bool:
        v4, v6 = "route show table all", "-6 route show table all"
        return "table 7411" in ip(v4) + ip(v6) or "7411" in ip("rule")

    def take_our_name(self) -> None:
        ip(f"link add {HOLDER} type veth peer name other0")

    async def connected(self) -> tuple[Connected, ...]:
        return await self.door.connected()

    async def source(self, towards: str) -> object:
        return await self.door.source_towards(ip_address(towards))


@pytest.fixture
def namespace() -> Iterator[None]:
    with own_namespace():
        yield


@pytest.fixture(params=["fake", pytest.param("kernel", marks=pytest.mark.lab)])
async def host(request: pytest.FixtureRequest) -> AsyncIterator[Host]:
    if request.param == "fake":
        yield FakeHost()
        return
    with own_namespace():
        async with Netlink() as netlink:
            yield KernelHost(netlink)


async def test_link_is_put_changed_and_deleted(host: Host) -> None:
    await host.links.put_link(HOLDER, HOLDING)
    assert await host.links.links() == {HOLDER: HOLDING}
    fewer = Link(LinkKind.HOLDER, frozenset({ip_address("10.255.0.1"), ip_address("169.254.20.10")}))
    await host.links.put_link(HOLDER, fewer)
    await host.links.put_link(HOLDER, fewer)
    assert await host.links.links() == {HOLDER: fewer}
    await host.links.delete_link(HOLDER)
    await host.links.delete_link(HOLDER)
    assert await host.links.links() == {}


async def test_link_of_others_with_our_name_is_refused_and_left(host: Host) -> None:
    host.take_our_name()
    with pytest.raises(DoorError, match="rename it"):
        await host.links.put_link(HOLDER, HOLDING)
    await host.links.delete_link(HOLDER)
    with pytest.raises(DoorError, match="rename it"):
        await host.links.put_link(HOLDER, HOLDING)
    assert await host.links.links() == {}


async def test_missing_kind_of_link_fails_with_the_kernels_words(host: Host) -> None:
    """Where the kernel has XFRM interfaces the link is made instead, and looks as wished."""
    wish = Link(LinkKind.XFRM, if_id=7411, mtu=1400)
    try:
        await host.links.put_link("orillo-hub1", wish)
    except DoorError as error:
        assert "XFRM interface orillo-hub1" in str(error)  # noqa: PT017 -- either way is right
    else:
        assert (await host.links.links())["orillo-hub1"] == wish


async def test_link_between_connectors_is_put_replaced_and_deleted(host: Host) -> None:
    await host.links.put_link(HOLDER, HOLDING)
    for wish in (between("10.255.0.12"), between("10.255.0.13"), between("fd00:255::c")):
        await host.links.put_link("orillo-x", wish)
        await host.links.put_link("orillo-x", wish)
        assert await host.links.links() == {HOLDER: HOLDING, "orillo-x": wish}
    await host.links.delete_link("orillo-x")
    assert await host.links.links() == {HOLDER: HOLDING}


async def test_two_links_of_one_network_number_are_refused(host: Host) -> None:
    """The kernel could not say which of them a packet came in on."""
    await host.links.put_link("orillo-x", between("10.255.0.12"))
    with pytest.raises(DoorError, match="VNI already exists"):
        await host.links.put_link("orillo-y", between("10.255.0.13", network=12))
    await host.links.put_link("orillo-y", between("10.255.0.13"))
    assert sorted(await host.links.links()) == ["orillo-x", "orillo-y"]


def between(remote: str, network: int | None = None) -> Link:
    """A link to the connector with that overlay address."""
    far = ip_address(remote)
    local = ip_address("10.255.0.1" if far.version == 4 else "fd00:255::1")
    number = far.packed[-1] if network is None else network
    vxlan = Vxlan(number, local, far, 7411, "02:00:0a:ff:00:01")
    return Link(LinkKind.VXLAN, mtu=1350, vxlan=vxlan, neighbour="02:00:0a:ff:00:0c")


@pytest.mark.parametrize("prefix", [V4, V6])
async def test_every_kind_of_route_reads_back_as_put(host: Host, prefix: Prefix) -> None:
    gateway = ip_address("192.168.1.1" if prefix == V4 else "fd01::1")
    own = ip_address("10.255.0.1" if prefix == V4 else "fd00:255::1")
    await host.links.put_link(HOLDER, HOLDING)
    await host.links.put_link("orillo-x", between("10.255.0.12"))
    hop = NEXT_HOPS[prefix.version]
    wanted = [
        Route(prefix, RouteKind.THROW, 50),
        Route(prefix, RouteKind.UNICAST, 100, device="ipsec7", source=own),
        Route(prefix, RouteKind.UNICAST, 101, gateway=gateway, source=own),
        Route(prefix, RouteKind.UNICAST, 102, gateway=hop, device="orillo-x", source=own),
        Route(prefix, RouteKind.UNICAST, 100, device="ipsec7", source=own, table=OWN_TABLE),
        Route(prefix, RouteKind.UNREACHABLE, 4_000_000),
        Route(prefix, RouteKind.BLACKHOLE, 4_000_001),
    ]
    for route in wanted:
        await host.routes.put_route(route)
        await host.routes.put_route(route)
    assert await host.routes.routes() == {route.key: route for route in wanted}


@pytest.mark.parametrize("prefix", [V4, V6])
async def test_replacing_a_way_never_touches_the_unreachable(host: Host, prefix: Prefix) -> None:
    below = Route(prefix, RouteKind.UNREACHABLE, 4_000_000)
    await host.routes.put_route(below)
    nets = ("192.168.1.1", "192.168.1.2") if prefix == V4 else ("fd01::1", "fd01::2")
    for way in (
        Route(prefix, RouteKind.UNICAST, 100, device="ipsec7"),
        Route(prefix, RouteKind.UNICAST, 100, gateway=ip_address(nets[0])),
        Route(prefix, RouteKind.UNICAST, 100, gateway=ip_address(nets[1])),
        Route(prefix, RouteKind.UNICAST, 100, device="lan0"),
    ):
        await host.routes.put_route(way)
        assert await host.routes.routes() == {below.key: below, way.key: way}
    await host.routes.delete_route(way.key)
    await host.routes.delete_route(way.key)
    assert await host.routes.routes() == {below.key: below}


@pytest.mark.parametrize("prefix", [V4, V6])
async def test_refused_becomes_dropped_and_back_with_no_gap(host: Host, prefix: Prefix) -> None:
    for kind in (RouteKind.UNREACHABLE, RouteKind.BLACKHOLE, RouteKind.UNREACHABLE):
        closed = Route(prefix, kind, 4_000_000)
        await host.routes.put_route(closed)
        assert await host.routes.routes() == {closed.key: closed}


@pytest.mark.parametrize("version", [4, 6])
async def test_gateway_that_our_table_throws_is_still_a_gateway(host: Host, version: int) -> None:
    """Own routes lead over neighbours that a throw route keeps out of the tunnels; in any order."""
    prefix = V4 if version == 4 else V6
    gateway = ip_address("192.168.1.1" if version == 4 else "fd01::1")
    throw = Route(host_prefix(gateway), RouteKind.THROW, 50)
    way = Route(prefix, RouteKind.UNICAST, 100, gateway=gateway)
    await host.routes.put_rule(Rule(version))
    await host.routes.put_route(throw)
    await host.routes.put_route(way)
    assert await host.routes.routes() == {throw.key: throw, way.key: way}


async def test_what_a_route_lacks_is_told(host: Host) -> None:
    with pytest.raises(NotYetError, match="waiting for link ipsec9"):
        await host.routes.put_route(Route(V4, RouteKind.UNICAST, 100, device="ipsec9"))
    with pytest.raises(DoorError, match="invalid gateway"):
        await host.routes.put_route(Route(V4, RouteKind.UNICAST, 100, gateway=ip_address("172.31.0.1")))
    with pytest.raises(DoorError, match=r"the route 10.200.2.0/24 metric 100"):
        await host.routes.put_route(
            Route(V4, RouteKind.UNICAST, 100, device="ipsec7", source=ip_address("10.255.9.9"))
        )
    assert await host.routes.routes() == {}


async def test_rules_are_put_once_and_deleted(host: Host) -> None:
    before = host.foreign()
    for rule in rules(edge_plan()).values():
        await host.routes.put_rule(rule)
        await host.routes.put_rule(rule)
    assert await host.routes.rules() == rules(edge_plan())
    for rule in rules(edge_plan()).values():
        await host.routes.delete_rule(rule)
        await host.routes.delete_rule(rule)
    assert await host.routes.rules() == {}
    assert host.foreign() == before


@pytest.mark.parametrize("addresses", [("10.255.0.1", "10.255.0.2"), ("fd00:255::1", "fd00:255::2")])
async def test_a_rule_for_another_source_replaces_the_first(host: Host, addresses: tuple[str, str]) -> None:
    table = RuleTable(host.routes)
    for address in map(ip_address, addresses):
        rule = Rule(address.version, OWN_TABLE, OWN_TABLE, address)
        for expected in (True, False):
            outcome = await reconcile(table, {rule.key: rule})
            assert bool(outcome.changed) is expected
        assert await host.routes.rules() == {rule.key: rule}
    await reconcile(table, {})
    assert await host.routes.rules() == {}


async def test_connected_prefixes_are_those_of_links_not_ours(host: Host) -> None:
    await host.links.put_link(HOLDER, HOLDING)
    assert await host.connected() == (
        Connected(ip_network("192.168.1.0/24"), "lan0"),
        Connected(ip_network("fd01::/64"), "lan0"),
    )


async def test_source_is_the_address_on_the_way(host: Host) -> None:
    assert await host.source("192.168.1.77") == ip_address("192.168.1.10")
    assert await host.source("fd01::77") == ip_address("fd01::10")
    assert await host.source("203.0.113.9") is None


@pytest.mark.parametrize("plan", [edge_plan(), connector_plan()], ids=["edge", "connector"])
async def test_a_plan_is_applied_in_one_pass_and_the_next_one_finds_nothing_to_do(
    host: Host, plan: Plan
) -> None:
    facts = Facts(
        ipsec=Ipsec.LIBIPSEC,
        tun="ipsec7",
        hub="connector-1",
        connected=tuple(one.prefix for one in await host.connected()),
        owners={"shop2": "connector-2"},
        probed=frozenset({"shop2"}),
    )
    for expected in (True, False):
        outcomes = [
            await reconcile(LinkTable(host.links), links(plan, facts)),
            await reconcile(LinkTable(host.links, relays=True), relay_links(plan)),
            await reconcile(RouteTable(host.routes), routes(plan, facts)),
            await reconcile(RuleTable(host.routes), rules(plan)),
        ]
        statuses = [status for outcome in outcomes for status in outcome.statuses.values()]
        assert {status.phase for status in statuses} == {Phase.APPLIED}, statuses
        changed = [bool(outcome.changed) for outcome in outcomes]
        assert changed == [expected, expected and bool(relay_links(plan)), expected, expected]


async def test_a_pass_prunes_ours_and_only_ours(host: Host) -> None:
    before = host.foreign()
    for metric in (100, 4_000_000):
        await host.routes.put_route(Route(V6, RouteKind.UNREACHABLE, metric))
    outcome = await reconcile(RouteTable(host.routes), {})
    assert sorted(outcome.changed) == [f"{V6} metric 100", f"{V6} metric 4000000"]
    assert await host.routes.routes() == {}
    assert host.foreign() == before


@pytest.mark.parametrize("plan", [edge_plan(), connector_plan()], ids=["edge", "connector"])
async def test_purge_leaves_nothing_of_ours_and_all_of_others(host: Host, plan: Plan) -> None:
    before = host.foreign()
    facts = Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec7", hub="connector-1", probed=frozenset({"shop2"}))
    await reconcile(LinkTable(host.links), links(plan, facts))
    await reconcile(LinkTable(host.links, relays=True), relay_links(plan))
    await reconcile(RouteTable(host.routes), routes(plan, facts))
    await reconcile(RuleTable(host.routes), rules(plan))
    removed = await route_room.purge(host.routes) + await link_room.purge(host.links, "br-orillo")
    assert f"link {HOLDER}" in removed
    assert "bridge br-orillo" in removed
    assert await host.links.links() == {}
    assert await host.routes.routes() == {}
    assert await host.routes.rules() == {}
    assert not host.charon_has_routes()
    assert host.foreign() == before
    assert await route_room.purge(host.routes) + await link_room.purge(host.links, "br-orillo") == []


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize(
    "harm",
    [
        "link set orillo-0aff000c down",
        "neigh flush dev orillo-0aff000c nud permanent",
        "neigh replace fe80::1 lladdr 02:00:00:00:00:99 dev orillo-0aff000c nud permanent",
        "link set orillo-0aff000c mtu 1300",
        "link del orillo-0aff000c",
    ],
)
async def test_harm_to_a_link_between_connectors_is_seen_and_undone(harm: str) -> None:
    wanted = relay_links(connector_plan())
    async with Netlink() as netlink:
        table = LinkTable(LinkDoor(netlink), relays=True)
        await reconcile(table, wanted)
        ip(harm)
        assert (await reconcile(table, wanted)).changed == ("orillo-0aff000c",)
        assert await table.observe() == wanted


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_changes_wake_once_for_many_and_again_for_the_next() -> None:
    async with aclosing(changes()) as events:
        await anext(events)
        for command in (
            "link add lan0 type veth peer name lan1",
            "addr add 192.168.1.10/24 dev lan0",
            "rule add pref 7410 lookup 99",
        ):
            ip(command)
        async with asyncio.timeout(5):
            await anext(events)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(events)


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_an_overrun_socket_still_wakes() -> None:
    """More events than its buffer holds, while nobody reads: the kernel drops some and says so."""
    async with aclosing(changes()) as events:
        await anext(events)
        many = "".join(f"route add 10.0.{i // 250}.{i % 250}/32 dev lo\n" for i in range(2000))
        ip("-batch -", many)
        async with asyncio.timeout(5):
            await anext(events)
        ip("route del 10.0.0.1/32 dev lo")
        async with asyncio.timeout(5):
            await anext(events)


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_a_host_without_ipv6_still_gets_its_ipv4() -> None:
    """One family's failure is told, and never stops the other's."""
    for scope in ("all", "default"):
        SysctlDoor().write(f"net/ipv6/conf/{scope}/disable_ipv6", "1")
    ip("tuntap add ipsec7 mode tun")
    ip("link set ipsec7 up")
    plan, facts = edge_plan(), Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec7", hub="connector-1")
    async with Netlink() as netlink:
        outcome = await reconcile(LinkTable(LinkDoor(netlink)), links(plan, facts))
        assert "IPv6 is disabled" in outcome.statuses[HOLDER].reason
        door = RouteDoor(netlink)
        await reconcile(RouteTable(door), routes(plan, facts))
        wanted = {key for key in routes(plan, facts) if key.dst.version == 4}
        assert {key for key in await door.routes() if key.dst.version == 4} == wanted


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_bridge_that_went_down_gets_its_gateways_back() -> None:
    """The kernel drops a link's IPv6 addresses with it; the CNI plug-in has put them there once."""
    wanted = {"br-orillo": frozenset(map(ip_interface, ("10.200.1.1/24", "fd00:200:0:1::1/64")))}
    async with Netlink() as netlink:
        table = GatewayTable(BridgeDoor(netlink))
        ip("link add br-orillo type bridge")
        ip("link set br-orillo up")
        ip("addr add 10.200.1.1/24 dev br-orillo")
        ip("addr add fd00:200:0:1::1/64 dev br-orillo nodad")
        ip("addr add 192.0.2.7/32 dev br-orillo")
        await reconcile(table, wanted)
        assert (await reconcile(table, wanted)).changed == ()
        ip("link set br-orillo down")
        ip("link set br-orillo up")
        assert "fd00:200:0:1::1" not in ip("addr show br-orillo")
        assert (await reconcile(table, wanted)).changed == ("br-orillo",)
        shown = ip("addr show br-orillo")
        assert "fd00:200:0:1::1/64" in shown
        # Another's address on the bridge is none of ours.
        assert "192.0.2.7" in shown
        # And a bridge that no plan wants any more keeps what it has.
        await reconcile(table, {})
        assert "10.200.1.1" in ip("addr show br-orillo")


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_the_kernels_digest_moves_with_every_change_and_with_nothing_else() -> None:
    async with Netlink() as netlink:
        host = KernelHost(netlink)
        tables = (TABLE, OWN_TABLE)
        seen = await netlink.digest(tables)
        assert await netlink.digest(tables) == seen
        # A bridge's timers run, and packets are counted.
        ip("link set br-orillo up")
        ip("addr add 198.51.100.1/24 dev br-orillo")
        seen = await netlink.digest(tables)
        await asyncio.sleep(0.05)
        assert await netlink.digest(tables) == seen
        ours = Route(V4, RouteKind.UNREACHABLE, 4_000_000)
        for change in (
            host.routes.put_route(ours),
            host.routes.delete_route(ours.key),
            host.routes.put_rule(Rule(4)),
            host.links.put_link(HOLDER, HOLDING),
        ):
            before = seen
            await change
            seen = await netlink.digest(tables)
            assert seen != before
        ip("route add 203.0.113.0/24 dev lan0")
        assert await netlink.digest(tables) == seen


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
def test_the_generation_of_nftables_moves_with_every_change() -> None:
    first = generation()
    assert generation() == first
    for text in (
        "add table inet orillo_t",
        "add set inet orillo_t s { type mark; }",
        "delete table inet orillo_t",
    ):
        before = generation()
        subprocess.run(["nft", text], check=True)
        assert generation() != before
