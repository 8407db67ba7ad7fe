# SPDX-License-Identifier: Apache-2.0
"""Plans to test with: small, valid, and named after the demo's sites."""

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import msgspec

from appliance.netcore.plan.identity import Identity, Place
from appliance.netcore.plan.model import Backend, Dns, Peer, Plan, Rule, Service, ServicePort, Trust
from appliance.netcore.plan.values import Path, Protocol, Role, Tier

SHOP1 = Identity(cluster="lab", name="shop1", instance="0a1b2c3d")


def edge_plan() -> Plan:
    """shop1: two hubs, a cloud worker, one other shop, and the service `web` here and in the cloud."""
    return Plan(
        generation=3,
        issued_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        author="root@test",
        identity=SHOP1,
        place=Place(role=Role.EDGE, site="shop1"),
        prefixes=(ip_network("10.200.1.0/24"), ip_network("fd00:200:0:1::/64")),
        overlay=(ip_address("10.255.0.1"), ip_address("fd00:255::1")),
        fabric=tuple(map(ip_network, ("10.200.0.0/16", "10.255.0.0/16", "fd00:200::/48", "fd00:255::/64"))),
        service_range=(ip_network("10.96.0.0/16"), ip_network("fd00:96::/112")),
        trust=Trust(ca=("-----BEGIN CERTIFICATE-----\n",), plan_keys={}),
        dns=Dns(bind=(ip_address("169.254.20.10"),)),
        groups=("edge", "community:shops"),
        peers={
            "connector-1": _connector(11, 10),
            "connector-2": _connector(12, 20),
            "worker-1": Peer(
                role=Role.CLOUD_NODE,
                ike_id="33333333.worker-1.lab",
                overlay=(ip_address("10.255.0.21"), ip_address("fd00:255::21")),
                prefixes=(ip_network("10.200.21.0/24"), ip_network("fd00:200:0:21::/64")),
                groups=("cloud",),
            ),
            "shop2": Peer(
                role=Role.EDGE,
                ike_id="22222222.shop2.lab",
                overlay=(ip_address("10.255.0.2"), ip_address("fd00:255::2")),
                prefixes=(ip_network("10.200.2.0/24"), ip_network("fd00:200:0:2::/64")),
                groups=("edge", "community:shops"),
            ),
        },
        policy={
            "edge-to-cloud": Rule(source="edge", destination="cloud"),
            "cloud-to-edge": Rule(source="cloud", destination="edge"),
            "community:shops": Rule(source="community:shops", destination="community:shops"),
        },
        services={"default/web": _web()},
    )


def connector_plan() -> Plan:
    """connector-1 of the same cluster: it knows shop2, the worker and the other connector."""
    plan = edge_plan()
    own = plan.peers["connector-1"]
    return msgspec.structs.replace(
        plan,
        identity=Identity(cluster="lab", name="connector-1", instance="00000011"),
        place=Place(role=Role.CONNECTOR, site="cloud"),
        overlay=own.overlay,
        prefixes=own.prefixes,
        groups=("cloud",),
        peers={name: peer for name, peer in plan.peers.items() if name != "connector-1"},
    )


def _connector(number: int, priority: int) -> Peer:
    return Peer(
        role=Role.CONNECTOR,
        ike_id=f"{number:08d}.connector-{number - 10}.lab",
        overlay=(ip_address(f"10.255.0.{number}"), ip_address(f"fd00:255::{number}")),
        prefixes=(ip_network(f"10.200.{number}.0/24"), ip_network(f"fd00:200:0:{number}::/64")),
        groups=("cloud",),
        paths=(Path.HUB,),
        addresses=(f"203.0.113.{number}",),
        priority=priority,
    )


def _web() -> Service:
    backends = {
        "here": Backend(address=ip_address("10.200.1.5"), port=8080, tier=Tier.NODE, node="shop1"),
        "cloud": Backend(address=ip_address("10.200.21.5"), port=8080, tier=Tier.CLOUD, node="worker-1"),
    }
    port = ServicePort(protocol=Protocol.TCP, port=80, backends=backends)
    return Service(addresses=(ip_address("10.96.0.10"),), ports={"http": port})
