# SPDX-License-Identifier: Apache-2.0
"""What the lab's eyes see: captures, streams, and what a host has that it had not before."""

from ipaddress import ip_address

import pytest

from tests.lab import capture, traffic
from tests.lab.command import attempt, run
from tests.lab.conditions import Conditions
from tests.lab.conftest import small_topology
from tests.lab.namespaces import Namespaces
from tests.lab.residue import differences, look
from tests.lab.sites import INTERNET
from tests.lab.topology import Host, HostRole, NatKind, Topology
from tests.lab.wait import TimedOutError

pytestmark = pytest.mark.lab


def test_capture_sees_every_packet_and_tells_them_apart(namespaces: Namespaces) -> None:
    """Five requests, five replies, nothing missed."""
    topology, (place,) = small_topology(NatKind.NONE)
    namespaces.build(topology)
    target = place.links[0].b.addresses[0].ip
    wire = capture.start(namespaces.name(INTERNET), "any", namespaces.workdir / "wire.pcap")
    attempt("ping", "-c", "5", "-i", "0.1", str(target), ns=namespaces.name("site0"))
    wire.wait_for(10, 5)
    wire.stop()
    assert wire.dropped == 0
    assert wire.count(f"icmp[icmptype] == icmp-echo and host {target}") == 5
    assert wire.count("host 192.0.2.1") == 0


def test_stream_tells_how_long_it_was_silent(namespaces: Namespaces) -> None:
    """A cut of a second is a gap of a second, and the requests in it are lost."""
    topology, (place,) = small_topology(NatKind.NONE)
    namespaces.build(topology)
    uplink = namespaces.relayed(place.links[0])
    target = place.links[0].b.addresses[0].ip
    stream = traffic.stream(namespaces.name("site0"), target, namespaces.workdir / "stream.log", 0.05)
    stream.wait_for_replies(10, 5)
    uplink.change(Conditions(cut=True))
    with pytest.raises(TimedOutError):
        stream.wait_for_reply(1.0)
    uplink.heal()
    stream.wait_for_reply(5)
    tally = stream.stop()
    assert 0.9 < tally.gap < 3
    assert 10 <= tally.lost < tally.sent


def test_stream_without_loss_has_none(namespaces: Namespaces) -> None:
    """The request under way when it ends is not counted as lost."""
    namespaces.build(Topology(hosts=(Host("host", HostRole.ROUTER),), links=()))
    target = ip_address("127.0.0.1")
    stream = traffic.stream(namespaces.name("host"), target, namespaces.workdir / "stream.log", 0.02)
    stream.wait_for_replies(50, 10)
    assert stream.stop().lost == 0


CHANGES = {
    "links": ("ip", "link", "add", "left", "type", "bridge"),
    "addresses": ("ip", "addr", "add", "192.0.2.1/32", "dev", "lo"),
    "routes": ("ip", "route", "add", "unreachable", "192.0.2.0/24", "table", "7410"),
    "rules": ("ip", "-6", "rule", "add", "pref", "7410", "lookup", "7410"),
    "firewall": ("nft", "add", "table", "inet", "left"),
    "settings": ("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0"),
}


@pytest.mark.parametrize("part", CHANGES)
def test_each_kind_of_trace_is_seen(namespaces: Namespaces, part: str) -> None:
    """What is left, and, seen from the other side, what was lost."""
    namespaces.build(Topology(hosts=(Host("host", HostRole.DEVICE),), links=()))
    ns = namespaces.name("host")
    before = look(ns)
    assert differences(before, look(ns)) == []
    run(*CHANGES[part], ns=ns)
    after = look(ns)
    assert [line for line in differences(before, after) if line.startswith(f"{part}: left")]
    assert [line for line in differences(after, before) if line.startswith(f"{part}: lost")]
