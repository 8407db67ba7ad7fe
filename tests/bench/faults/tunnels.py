# SPDX-License-Identifier: Apache-2.0
"""Faults of the tunnels."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from appliance.checks.box import read_on_disk
from appliance.netcore.desired.connections import connections, settings
from appliance.netcore.desired.facts import Facts
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Address
from appliance.netcore.spec import Ipsec
from appliance.paths import Paths
from tests.bench.faults.fault import EDGE, Fault, Inject, router_drops, ruleset, tunnels_down
from tests.lab.command import LabError
from tests.lab.demo.topology import CONNECTORS
from tests.lab.demo.world import World
from tests.lab.device import Daemon, Device
from tests.lab.sites import DEVICE_IN_LAN
from tests.lab.vici import load_connection, terminate

_OTHER_PROPOSAL = "aes128-sha384-ecp384"


def _plan(device: Device) -> Plan:
    plan = read_on_disk(Paths(device.root)).plan
    if plan is None:
        raise LabError(f"{device.name} has no plan on disk")
    return plan


def _settings(device: Device, peer: str, sources: dict[str, Address]) -> dict[str, Any]:
    """A connection as the product loads it."""
    facts = Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec0", sources=sources)
    return dict(settings(connections(_plan(device), facts)[peer]))


@contextmanager
def no_common_proposal(world: World) -> Iterator[None]:
    """charon is told to offer the hubs what they do not take."""
    edge = world.devices[EDGE]
    whole = {hub: _settings(edge, hub, dict.fromkeys(CONNECTORS, DEVICE_IN_LAN)) for hub in CONNECTORS}
    socket = edge.run_directory / "charon.vici"
    try:
        for hub, right in whole.items():
            load_connection(socket, hub, right | {"proposals": [_OTHER_PROPOSAL]})
            terminate(socket, hub)
        yield
    finally:
        for hub, right in whole.items():
            load_connection(socket, hub, right)


@contextmanager
def unknown_to_hubs(world: World) -> Iterator[None]:
    """The hubs expect another instance of the edge; their agents, which would repair that, are stopped."""
    hubs = [world.devices[name] for name in CONNECTORS]
    for hub in hubs:
        hub.stop(Daemon.AGENT)
    try:
        for hub in hubs:
            wrong = _settings(hub, EDGE, {})
            wrong["remote"] = dict(wrong["remote"], id=f"00000000.{EDGE}.demo")
            load_connection(hub.run_directory / "charon.vici", EDGE, wrong)
            terminate(hub.run_directory / "charon.vici", EDGE)
        yield
    finally:
        for hub in hubs:
            hub.start(Daemon.AGENT)


@contextmanager
def hub_dead(world: World) -> Iterator[None]:
    """charon of the first hub is killed."""
    hub = world.devices[CONNECTORS[0]]
    hub.kill(Daemon.CHARON)
    try:
        yield
    finally:
        hub.start(Daemon.CHARON)


def _one_down(world: World) -> bool:
    return not world.devices[EDGE].status()["tunnels"][CONNECTORS[0]]["up"]


def _told(word: str) -> Any:
    def settled(world: World) -> bool:
        tunnels = world.devices[EDGE].status().get("tunnels", {})
        return all(word in tunnel["reason"] for tunnel in tunnels.values())

    return settled


own_output: Inject = ruleset(
    EDGE,
    "inet",
    "chain out { type filter hook output priority 5; udp dport { 500, 4500 } drop; }",
)

TUNNELS = (
    Fault(
        "ike-blocked",
        "the router drops UDP 500 and 4500",
        "ike-no-answer",
        router_drops("udp dport { 500, 4500 }"),
        tunnels_down,
    ),
    Fault(
        "4500-blocked",
        "the router drops UDP 4500",
        "ike-4500-blocked",
        router_drops("udp dport 4500"),
        tunnels_down,
    ),
    Fault("500-blocked", "the router drops UDP 500", "ike-500-blocked", router_drops("udp dport 500")),
    Fault(
        "esp-dropped",
        "the router drops ESP in UDP and lets IKE on the same port pass",
        "esp-blocked",
        router_drops("udp dport 4500 @th,64,32 != 0 udp length > 20"),
        tunnels_down,
    ),
    Fault(
        "mtu-black-hole",
        "the router drops UDP 4500 beyond 1300 bytes, and says nothing",
        "mtu-black-hole",
        router_drops("udp dport 4500 udp length > 1300"),
    ),
    Fault(
        "no-proposal",
        "charon offers the hubs algorithms that they do not take",
        "ike-no-proposal",
        no_common_proposal,
        _told("PROPOSAL"),
    ),
    Fault(
        "not-accepted",
        "the hubs expect another instance of this device",
        "ike-auth-failed",
        unknown_to_hubs,
        _told("AUTHENTICATION_FAILED"),
    ),
    Fault("hub-dead", "charon of one of the two hubs is killed", "ike-no-answer", hub_dead, _one_down),
    Fault(
        "own-firewall-out",
        "another nft table on the device drops UDP 500 and 4500 on their way out",
        "firewall-foreign-output",
        own_output,
        tunnels_down,
    ),
)
