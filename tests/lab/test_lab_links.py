# SPDX-License-Identifier: Apache-2.0
"""A relayed link does what its conditions say, and does it at once."""

import json
import re

import pytest

from tests.lab.command import attempt, run
from tests.lab.conditions import PERFECT, Conditions
from tests.lab.conftest import small_topology
from tests.lab.namespaces import Namespaces
from tests.lab.process import Process
from tests.lab.topology import Link, NatKind

pytestmark = pytest.mark.lab


@pytest.fixture
def link(namespaces: Namespaces) -> Link:
    """The weak link of a site with a public address."""
    topology, _ = small_topology(NatKind.NONE)
    namespaces.build(topology)
    return topology.links[0]


def round_trips(namespaces: Namespaces, link: Link, count: int) -> list[float]:
    """Round-trip times across the link in milliseconds; the lost ones are missing."""
    target = str(link.b.addresses[0].ip)
    words = ("ping", "-n", "-c", str(count), "-i", "0.02", "-W", "1", target)
    said = attempt(*words, ns=namespaces.name(link.a.host)).out
    return [float(time) for time in re.findall(r"time=([\d.]+) ms", said)]


def test_delay_is_added_each_way_and_taken_away(namespaces: Namespaces, link: Link) -> None:
    """40 ms each way are 80 ms there and back."""
    assert max(round_trips(namespaces, link, 5)[1:]) < 40
    namespaces.relayed(link).change(Conditions(delay=40))
    assert 80 <= min(round_trips(namespaces, link, 5)) < 110
    namespaces.relayed(link).change(PERFECT)
    assert max(round_trips(namespaces, link, 5)) < 40


def test_jitter_spreads_the_delay(namespaces: Namespaces, link: Link) -> None:
    """Delay 40 ± 30 ms each way: round trips lie far apart."""
    namespaces.relayed(link).change(Conditions(delay=40, jitter=30))
    times = round_trips(namespaces, link, 40)
    assert max(times) - min(times) > 30
    assert min(times) >= 20


def test_loss_is_near_what_was_asked_for(namespaces: Namespaces, link: Link) -> None:
    """30 % each way leave 49 % of the round trips; 200 of them stay within six sigma of that.

    Not if ARP is lost too: what waits for it is more than the kernel keeps.
    """
    assert round_trips(namespaces, link, 1)
    namespaces.relayed(link).change(Conditions(loss=30))
    assert 55 <= len(round_trips(namespaces, link, 200)) <= 141


def test_rate_is_a_limit(namespaces: Namespaces, link: Link) -> None:
    """TCP through 10 Mbit/s gets most of it and no more."""
    server, client = namespaces.name(link.b.host), namespaces.name(link.a.host)
    listener = Process(("iperf3", "-s", "-1", "--forceflush"), namespaces.workdir / "iperf3.log", ns=server)
    listener.wait_for("Server listening", 10)
    namespaces.relayed(link).change(Conditions(rate=10, queue=100))
    said = run("iperf3", "-c", str(link.b.addresses[0].ip), "-t", "3", "-J", ns=client)
    rate = json.loads(said)["end"]["sum_received"]["bits_per_second"] / 1e6
    assert 5 < rate < 10.5


def test_cut_link_drops_everything_and_heals(namespaces: Namespaces, link: Link) -> None:
    """Neither end's interface notices a cut."""
    namespaces.relayed(link).cut()
    assert round_trips(namespaces, link, 5) == []
    assert "LOWER_UP" in run("ip", "-n", namespaces.name(link.a.host), "link", "show", link.a.interface)
    namespaces.relayed(link).heal()
    assert len(round_trips(namespaces, link, 5)) == 5


def test_unplugged_cable_takes_the_carrier(namespaces: Namespaces) -> None:
    """The far end goes down: this end keeps address and routes, and has no carrier."""
    topology, _ = small_topology(NatKind.MASQUERADE)
    namespaces.build(topology)
    cable = next(link for link in topology.links if not link.relayed)
    device = namespaces.name(cable.a.host)
    namespaces.unplug(cable.b)
    assert "NO-CARRIER" in run("ip", "-n", device, "link", "show", cable.a.interface)
    assert "default via" in run("ip", "-n", device, "route")
    namespaces.plug_in(cable.b)
    assert attempt("ping", "-c", "1", "-W", "2", str(cable.b.addresses[0].ip), ns=device).ok
