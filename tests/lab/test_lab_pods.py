# SPDX-License-Identifier: Apache-2.0
"""Pods by the real plug-ins, without the product: a conflist of our own stands in for the appliance's."""

import json
from ipaddress import ip_address

import pytest

from tests.lab.device import Device
from tests.lab.namespaces import Namespaces
from tests.lab.pods import Pod
from tests.lab.product import Installation, Product
from tests.lab.topology import Address, Host, HostRole, Topology

pytestmark = pytest.mark.lab


@pytest.fixture
def device(namespaces: Namespaces) -> Device:
    """A host with a conflist and no daemons."""
    namespaces.build(Topology(hosts=(Host("node", HostRole.DEVICE),), links=()))
    root = namespaces.workdir / "node"
    device = Device("node", Installation(Product().appliance, root, namespaces.name("node")), root / "logs")
    device.conflist.parent.mkdir(parents=True)
    ranges = [[{"subnet": "10.99.0.0/24"}], [{"subnet": "fd99::/64"}]]
    ipam = {"type": "host-local", "ranges": ranges, "dataDir": str(root / "leases")}
    bridge = {"type": "bridge", "bridge": "br-test", "isDefaultGateway": True, "ipam": ipam}
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    device.conflist.write_text(json.dumps({"cniVersion": "1.0.0", "name": "test", "plugins": plugins}))
    return device


def pod(namespaces: Namespaces, device: Device, name: str) -> Pod:
    """A started pod."""
    made = Pod(name, device, namespaces, device_resolver(), "svc.test")
    made.start()
    return made


def device_resolver() -> Address:
    """Where a pod's names would be resolved."""
    return ip_address("169.254.20.10")


def test_pods_reach_each_other_and_say_who_they_are(namespaces: Namespaces, device: Device) -> None:
    """By both families, and by the address that each really has."""
    a, b = pod(namespaces, device, "a"), pod(namespaces, device, "b")
    for address in b.addresses:
        assert a.ping(address)
        assert a.who_answers(address) == "b"
        assert a.seen_as(address) in map(str, a.addresses)
    b.die()
    assert a.who_answers(b.v4) == ""
    b.serve()
    assert a.who_answers(b.v4) == "b"


def test_pod_comes_back_with_its_addresses(namespaces: Namespaces, device: Device) -> None:
    """After its sandbox was lost without a word; another pod has not taken them meanwhile."""
    one = pod(namespaces, device, "one")
    before = one.addresses
    one.lose_power()
    other = pod(namespaces, device, "other")
    one.clear_away()
    one.start()
    assert one.addresses == before
    assert not set(other.addresses) & set(before)
    assert other.ping(one.v6)
