# SPDX-License-Identifier: Apache-2.0
"""The links between connectors: what both ends must agree on, and what must differ on one host."""

from collections.abc import Mapping
from ipaddress import ip_address

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.links import links, relay_links
from appliance.netcore.desired.relays import relay_mtu, relays
from appliance.netcore.desired.sysctls import sysctls
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.plan.values import Role
from appliance.netcore.spec import Link, LinkKind, Vxlan
from tests.unit.plan.plans import connector_plan, edge_plan


def cloud(overlays: Mapping[str, tuple[str, ...]]) -> dict[str, Plan]:
    """The plan of every connector of these names and overlay addresses."""
    peers = {
        name: Peer(role=Role.CONNECTOR, ike_id=f"{name}.lab", overlay=tuple(map(ip_address, addresses)))
        for name, addresses in overlays.items()
    }
    return {
        name: msgspec.structs.replace(
            connector_plan(),
            identity=Identity(cluster="lab", name=name, instance="00000011"),
            overlay=peer.overlay,
            peers={other: theirs for other, theirs in peers.items() if other != name},
        )
        for name, peer in peers.items()
    }


def test_a_connector_has_a_link_to_each_other_one_and_an_edge_has_none() -> None:
    (relay,) = relays(connector_plan()).values()
    assert relay_links(connector_plan())["orillo-0aff000c"] == Link(
        LinkKind.VXLAN,
        mtu=1350,
        vxlan=Vxlan(
            network=7,
            local=ip_address("10.255.0.11"),
            remote=ip_address("10.255.0.12"),
            port=7411,
            hardware="02:00:0a:ff:00:0b",
        ),
        neighbour="02:00:0a:ff:00:0c",
    )
    assert sysctls(connector_plan(), Facts())[f"net/ipv4/conf/{relay.name}/rp_filter"] == "0"
    assert "orillo-0aff000c" not in links(connector_plan(), Facts())
    assert relays(edge_plan()) == {}
    assert relay_links(edge_plan()) == {}


@given(st.sets(st.integers(1, 0xFFFE), min_size=2, max_size=6), st.booleans())
def test_ends_match_and_no_two_links_of_a_host_are_alike(hosts: set[int], v6: bool) -> None:
    text = "fd00:255::{:x}" if v6 else "10.255.{}.{}"
    overlays = {
        f"hub{host}": (text.format(host) if v6 else text.format(host >> 8, host & 255),) for host in hosts
    }
    plans = cloud(overlays)
    for name, plan in plans.items():
        own = relays(plan)
        assert own.keys() == plans.keys() - {name}
        assert len({relay.name for relay in own.values()}) == len(own)
        assert len({relay.vxlan.network for relay in own.values()}) == len(own)
        assert all(len(relay.name) <= 15 and 0 < relay.vxlan.network < 1 << 24 for relay in own.values())
        for other, relay in own.items():
            back = relays(plans[other])[name]
            assert (relay.vxlan.local, relay.vxlan.remote) == (back.vxlan.remote, back.vxlan.local)
            assert relay.vxlan.network == back.vxlan.network
            assert relay.neighbour == back.vxlan.hardware != relay.vxlan.hardware


@pytest.mark.parametrize(
    ("addresses", "mtu", "expected"),
    [
        (("10.255.0.2", "fd00:255::2"), 1400, 1350),
        (("fd00:255::2",), 1400, 1330),
        # IPv6 needs 1280 bytes; the outer packet is cut in pieces instead.
        (("10.255.0.2",), 1280, 1280),
    ],
)
def test_the_mtu_leaves_room_for_the_outer_headers(
    addresses: tuple[str, ...], mtu: int, expected: int
) -> None:
    plan = cloud({"a": ("10.255.0.1", "fd00:255::1"), "b": addresses})["a"]
    plan = msgspec.structs.replace(plan, tunnel=msgspec.structs.replace(plan.tunnel, mtu=mtu))
    assert [relay.mtu for relay in relays(plan).values()] == [expected]
    assert relay_mtu(plan) == expected


def test_without_a_family_in_common_there_is_no_link() -> None:
    assert relays(cloud({"a": ("10.255.0.1",), "b": ("fd00:255::2",)})["a"]) == {}
