# SPDX-License-Identifier: Apache-2.0
"""Faults of the tunnels."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from appliance.checks.box import read_on_disk
from appliance.checks.tunnels import reason_code
from appliance.netcore.desired.connections import connections, settings
from appliance.netcore.desired.facts import Facts
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Address
from appliance.netcore.spec import Ipsec
from appliance.netcore.tunnel import PROBE, SITE
from appliance.paths import Paths
from tests.bench.faults.box import charon_by_hand
from tests.bench.faults.fault import EDGE, Fault, Inject, commands, router_drops, ruleset, tunnels_down
from tests.fakes.certificates import Authority
from tests.lab.command import LabError
from tests.lab.demo import manifests
from tests.lab.demo.topology import CONNECTORS, PUBLIC
from tests.lab.demo.world import World
from tests.lab.device import Daemon, Device
from tests.lab.sites import DEVICE_IN_LAN
from tests.lab.vici import load_connection, load_credentials, terminate
from tests.lab.wait import until

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
def hubs_without_agents(world: World) -> Iterator[list[Device]]:
    """The hubs, whose agents would repair what is done to their charons."""
    hubs = [world.devices[name] for name in CONNECTORS]
    for hub in hubs:
        hub.stop(Daemon.AGENT)
    try:
        yield hubs
    finally:
        for hub in hubs:
            hub.start(Daemon.AGENT)


@contextmanager
def unknown_to_hubs(world: World) -> Iterator[None]:
    """The hubs expect another instance of the edge."""
    with hubs_without_agents(world) as hubs:
        for hub in hubs:
            wrong = _settings(hub, EDGE, {})
            wrong["remote"] = dict(wrong["remote"], id=f"00000000.{EDGE}.demo")
            load_connection(hub.run_directory / "charon.vici", EDGE, wrong)
            terminate(hub.run_directory / "charon.vici", EDGE)
        yield


@contextmanager
def hubs_of_a_stranger(world: World) -> Iterator[None]:
    """The hubs prove themselves with certificates of another CA."""
    stranger = Authority("stranger")
    with hubs_without_agents(world) as hubs:
        for hub in hubs:
            plan, socket = _plan(hub), hub.run_directory / "charon.vici"
            leaf = stranger.issue(plan.identity, world.workdir)
            load_credentials(socket, plan.trust.ca[0], leaf.certificate.read_text(), leaf.key.read_bytes())
            terminate(socket, EDGE)
        yield


def other_networks(*which: str) -> Inject:
    """The hubs expect other networks in these children than the edge has."""

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        with hubs_without_agents(world) as hubs:
            for hub in hubs:
                wrong = _settings(hub, EDGE, {})
                for name in which:
                    wrong["children"][name] = {**wrong["children"][name], "remote_ts": ["192.0.2.0/24"]}
                load_connection(hub.run_directory / "charon.vici", EDGE, wrong)
                terminate(hub.run_directory / "charon.vici", EDGE)
            yield

    return inject


@contextmanager
def charon_for_another_kernel(world: World) -> Iterator[None]:
    """charon runs with the kernel's ESP, which this kernel has not."""
    device = world.devices[EDGE]
    device.kill(Daemon.CHARON)
    conf = device.run_directory / "strongswan.conf"
    conf.write_text(re.sub(r" *kernel-libipsec \{[^}]*\}\n", "", conf.read_text()))
    charon_by_hand(device)
    try:
        yield
    finally:
        device.kill(Daemon.CHARON)
        device.start(Daemon.CHARON)


@contextmanager
def handshake_lost(world: World) -> Iterator[None]:
    """Large IKE messages are lost, such as those that carry certificates; no tunnel comes up again."""
    with router_drops("udp dport 4500 @th,64,32 0 udp length > 300")(world):
        for hub in CONNECTORS:
            terminate(world.devices[EDGE].run_directory / "charon.vici", hub)
        yield


def public_address(address: str) -> Inject:
    """The plan has this for the first hub."""

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        device, hub = world.devices[EDGE], CONNECTORS[0]
        right = manifests.cloud_node(hub, connector=True)
        before = int(device.status()["generation"])
        wrong = right.replace(str(PUBLIC[hub]), address)
        world.operator.apply(manifests.write(world.manifests / "moved.yaml", wrong))
        until(lambda: int(device.status()["generation"]) > before, "the plan is there", 20)
        try:
            yield
        finally:
            world.operator.apply(manifests.write(world.manifests / "moved.yaml", right))

    return inject


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


def _all_say_why(world: World) -> bool:
    tunnels = world.devices[EDGE].status().get("tunnels", {})
    return bool(tunnels) and all(reason_code(tunnel["reason"]) for tunnel in tunnels.values())


def _narrowed(world: World) -> bool:
    tunnels = world.devices[EDGE].status().get("tunnels", {}).values()
    return all(one["up"] for one in tunnels) and any("agreed to less" in one["reason"] for one in tunnels)


TUNNELS = (
    Fault(
        "hub-name",
        "the plan names a hub by a name that nobody resolves",
        "hub-name-unknown",
        public_address("hub.example.org"),
    ),
    Fault(
        "hub-route",
        "an unreachable route to a hub, of another program",
        "hub-no-route",
        commands(
            EDGE,
            ("ip route add unreachable 203.0.113.11/32",),
            ("ip route del unreachable 203.0.113.11/32",),
        ),
    ),
    Fault(
        "stranger-at-the-hub",
        "the hubs show certificates of another CA",
        "ike-peer-untrusted",
        hubs_of_a_stranger,
        _all_say_why,
    ),
    Fault(
        "other-networks",
        "the hubs expect other networks behind this device",
        "child-refused",
        other_networks(PROBE, SITE),
        _told("TS_UNACCEPTABLE"),
    ),
    Fault(
        "site-narrowed",
        "the hubs expect other networks in the site child, and agree to what the probe's has",
        "child-narrowed",
        other_networks(SITE),
        _narrowed,
    ),
    Fault(
        "charon-without-esp",
        "charon is started for a kernel with ESP",
        "child-not-installable",
        charon_for_another_kernel,
        _all_say_why,
    ),
    Fault(
        "handshake-lost",
        "the router drops IKE messages beyond 300 bytes",
        "ike-down",
        handshake_lost,
        tunnels_down,
    ),
    Fault(
        "esp-lossy",
        "the router drops two of five ESP packets, and nothing else",
        "tunnel-lossy",
        router_drops("udp dport 4500 @th,64,32 != 0 udp length > 20 numgen inc mod 5 < 2"),
    ),
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
