# SPDX-License-Identifier: Apache-2.0
"""Every kind of address translation shows the outside what it should, and lets nothing in by itself."""

import json
import sys
from pathlib import Path

import pytest

from tests.lab.command import attempt, run
from tests.lab.conftest import small_topology
from tests.lab.namespaces import Namespaces
from tests.lab.process import Process
from tests.lab.sites import DEVICE_IN_LAN, INTERNET
from tests.lab.topology import NatKind

pytestmark = pytest.mark.lab

_HERE = Path(__file__).parent


@pytest.mark.parametrize("kind", NatKind)
def test_outside_sees_the_site_under_one_address(namespaces: Namespaces, kind: NatKind) -> None:
    """A server at the internet is asked from the site, and says who asked."""
    topology, (place,) = small_topology(kind)
    namespaces.build(topology)
    server = (sys.executable, "-I", "-S", str(_HERE / "pod_server.py"), "internet", "8080")
    listener = Process(server, namespaces.workdir / "server.log", ns=namespaces.name(INTERNET))
    listener.wait_for("ready", 10)
    target = str(place.links[-1].b.addresses[0].ip)
    client = (sys.executable, "-I", "-S", str(_HERE / "pod_client.py"), "4", target, "8080", "3")
    assert json.loads(run(*client, ns=namespaces.name("site0")))["client"] == str(place.outside)


def test_equal_lans_live_side_by_side(namespaces: Namespaces) -> None:
    """Two sites with the same LAN and the same device address, each behind its router."""
    topology, sites = small_topology(NatKind.MASQUERADE, NatKind.DOUBLE)
    namespaces.build(topology)
    for number, other in ((0, sites[1]), (1, sites[0])):
        ns = namespaces.name(f"site{number}")
        assert f"{DEVICE_IN_LAN}/24" in run("ip", "-n", ns, "addr", "show", "uplink")
        assert attempt("ping", "-c", "1", "-W", "2", str(other.outside), ns=ns).ok


def test_private_addresses_have_no_route_at_the_internet(namespaces: Namespaces) -> None:
    """What a router forgot to translate would not be answered."""
    topology, _ = small_topology(NatKind.MASQUERADE)
    namespaces.build(topology)
    assert not attempt("ip", "route", "get", str(DEVICE_IN_LAN), ns=namespaces.name(INTERNET)).ok
