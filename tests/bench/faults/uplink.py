# SPDX-License-Identifier: Apache-2.0
"""Faults of the uplink, from the cable to the provider."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.faults.control import pretender
from tests.bench.faults.fault import EDGE, ROUTER, Fault, commands, router_drops, ruleset
from tests.lab.command import run
from tests.lab.conditions import Conditions
from tests.lab.demo.world import World
from tests.lab.topology import End

_DEFAULT = "ip route replace default via 192.168.1.1"
_ADDRESS = "ip address replace 192.168.1.10/24 dev uplink"


@contextmanager
def no_cable(world: World) -> Iterator[None]:
    """The far end of the cable goes dark."""
    end = End(ROUTER, "lan")
    world.namespaces.unplug(end)
    try:
        yield
    finally:
        world.namespaces.plug_in(end)


@contextmanager
def cut(world: World) -> Iterator[None]:
    """The provider's line drops everything, and no port notices."""
    world.uplink(EDGE).cut()
    try:
        yield
    finally:
        world.uplink(EDGE).heal()


@contextmanager
def lossy(world: World) -> Iterator[None]:
    """A fifth of all packets is lost, each way."""
    world.uplink(EDGE).change(Conditions(loss=20))
    try:
        yield
    finally:
        world.uplink(EDGE).heal()


@contextmanager
def no_resolver(world: World) -> Iterator[None]:
    """An empty resolv.conf."""
    file = Path("/etc/netns") / world.devices[EDGE].ns / "resolv.conf"
    before = file.read_text()
    file.write_text("# nothing\n")
    try:
        yield
    finally:
        file.write_text(before)


@contextmanager
def no_port(world: World) -> Iterator[None]:
    """The network card is gone: its port is in another host for a while."""
    ours, theirs = world.devices[EDGE].ns, world.namespaces.name(ROUTER)
    run("ip", "-n", ours, "link", "set", "uplink", "netns", theirs, "name", "parked")
    try:
        yield
    finally:
        run("ip", "-n", theirs, "link", "set", "parked", "netns", ours, "name", "uplink")
        run("ip", "-n", ours, "link", "set", "uplink", "up")
        for command in (_ADDRESS, _DEFAULT):
            run(*command.split(), ns=ours)


no_default_route = commands(EDGE, ("ip route del default",), (_DEFAULT,))

UPLINK = (
    Fault("no-port", "the network port is moved to another host", "link-none", no_port),
    Fault(
        "dns-failing",
        "UDP 53 ends at a name server that answers SERVFAIL",
        "dns-upstream-failing",
        pretender("dns", 53),
    ),
    Fault("cable", "the cable's far end goes dark", "link-no-carrier", no_cable),
    Fault(
        "port-off",
        "ip link set uplink down",
        "link-disabled",
        commands(EDGE, ("ip link set uplink down",), ("ip link set uplink up", _DEFAULT)),
    ),
    Fault(
        "no-address",
        "ip address del, as after a lost DHCP lease",
        "address-missing",
        commands(EDGE, ("ip address del 192.168.1.10/24 dev uplink",), (_ADDRESS, _DEFAULT)),
    ),
    Fault("no-default-route", "ip route del default", "route-default-missing", no_default_route),
    Fault(
        "router-dead",
        "the router drops all that comes in from the LAN, ARP too",
        "gateway-silent",
        ruleset(
            ROUTER, "netdev", "chain in { type filter hook ingress device lan priority 0; policy drop; }"
        ),
    ),
    Fault(
        "address-conflict",
        "another machine on the LAN takes the device's address",
        "address-conflict",
        commands(
            ROUTER,
            ("ip address add 192.168.1.10/32 dev lan",),
            ("ip address del 192.168.1.10/32 dev lan",),
        ),
    ),
    Fault("line-cut", "the provider's line drops everything", "internet-unreachable", cut),
    Fault("line-lossy", "20 % loss each way", "uplink-lossy", lossy),
    Fault("dns-blocked", "the router drops UDP 53", "dns-upstream-silent", router_drops("udp dport 53")),
    Fault("no-resolver", "an empty resolv.conf", "dns-no-resolver", no_resolver),
)
