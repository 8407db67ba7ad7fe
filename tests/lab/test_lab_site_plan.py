# SPDX-License-Identifier: Apache-2.0
"""A site before the cloud has ever seen it: a plan is carried there, and the device enrols later.

operator, hub ── public ── inet ══ router-shop ── shop (masqueraded, its line dead at first)
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.lab.command import attempt
from tests.lab.demo import manifests
from tests.lab.demo.topology import SERVICE_NAME, SERVICE_PORT, SERVICE_RANGE
from tests.lab.device import Device
from tests.lab.namespaces import Namespaces
from tests.lab.operator import Operator, init_options
from tests.lab.pods import Pod
from tests.lab.product import Installation, Product
from tests.lab.sites import INTERNET, site
from tests.lab.topology import Address, End, Host, HostRole, Link, NatKind, Route, Topology
from tests.lab.traffic import stream
from tests.lab.wait import until

pytestmark = pytest.mark.lab

SHOP, HUB = "shop", "hub"
PUBLIC = {"operator": IPv4Address("203.0.113.10"), HUB: IPv4Address("203.0.113.11")}
_GATEWAY = IPv4Address("203.0.113.1")
_SITE = site(SHOP, 1, NatKind.MASQUERADE, ())
_LINE = next(link for link in _SITE.links if link.relayed)
_CACHE = ip_address("169.254.20.10")
_HUB = f"""apiVersion: v1
kind: Node
metadata:
  name: {HUB}
  labels: {{node-role.kubernetes.io/connector: ""}}
  annotations: {{fabedge.io/node-public-addresses: {PUBLIC[HUB]}}}
"""


def topology() -> Topology:
    roles = {"operator": HostRole.OPERATOR, HUB: HostRole.DEVICE}
    return Topology(
        hosts=(
            Host(INTERNET, HostRole.ROUTER, bridges=("dc",)),
            *(Host(name, role, (Route(_GATEWAY),)) for name, role in roles.items()),
            *_SITE.hosts,
        ),
        links=(*map(_public_link, PUBLIC), *_SITE.links),
        nats=_SITE.nats,
        bridge_addresses=(End(INTERNET, "dc", (IPv4Interface(f"{_GATEWAY}/24"),)),),
    )


def _public_link(name: str) -> Link:
    address = IPv4Interface(f"{PUBLIC[name]}/24")
    return Link(End(name, "public", (address,)), End(INTERNET, f"p-{name}", bridge="dc"))


@dataclass
class World:
    namespaces: Namespaces
    operator: Operator
    hub: Device
    shop: Device


@pytest.fixture
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        namespaces = Namespaces(Path(directory))
        try:
            namespaces.build(topology())
            yield _world(namespaces)
        finally:
            namespaces.remove()


def _world(namespaces: Namespaces) -> World:
    product, folder = Product(), namespaces.workdir
    place = Installation(product.cloud, folder / "operator", namespaces.name("operator"))
    operator = Operator(place, folder / "operator/serve.log")
    operator.init("demo", *init_options(str(PUBLIC["operator"]), service_range=SERVICE_RANGE))
    operator.start()
    operator.apply(manifests.write(folder / "nodes.yaml", _HUB, manifests.edge(SHOP)))
    hub, shop = (
        Device(name, Installation(product.appliance, folder / name, namespaces.name(name)), folder / name)
        for name in (HUB, SHOP)
    )
    hub.enroll(operator.token(HUB))
    hub.start()
    return World(namespaces, operator, hub, shop)


def carried(world: World) -> tuple[dict[str, Any], Path]:
    """The plan for the shop with a service whose one backend is a pod that is still to be started."""
    file = world.namespaces.workdir / "shop.plan.json"
    first = world.operator.read("plan", "site", SHOP, str(file))
    addresses = [ip_network(prefix)[9] for prefix in first["prefixes"]]
    service = manifests.service({SHOP: addresses})
    world.operator.apply(manifests.write(world.namespaces.workdir / "service.yaml", service))
    return world.operator.read("plan", "site", SHOP, str(file)), file


def pod(world: World, name: str, *addresses: Address) -> Pod:
    made = Pod(name, world.shop, world.namespaces, _CACHE, "", tuple(addresses))
    made.start()
    return made


def test_a_site_lives_by_a_carried_plan_and_enrols_later(world: World) -> None:
    line = world.namespaces.relayed(_LINE)
    line.cut()
    told, file = carried(world)
    shop = world.shop
    # The daemons are there first, as on a card that starts: the plan is taken up while they run.
    shop.start()
    imported = shop.call("plan", "import", str(file), "--key", str(told["plan_key"]))
    assert imported.ok, imported.text
    shop.wait_for_conflist(30)
    prefixes = [ip_network(prefix) for prefix in told["prefixes"]]
    backend = pod(world, "web", *(prefix[9] for prefix in prefixes))
    client = pod(world, "client")
    answers = partial(client.who_answers, SERVICE_NAME, SERVICE_PORT)
    until(lambda: answers(4) == answers(6) == "web", "web answers by its name", 20)
    assert all(client.ping(address) for address in backend.addresses)
    assert shop.status()["state"] == "unenrolled"
    # What belongs to the fabric leaves by no other way, though there is no tunnel at all yet.
    far = attempt("ip", "route", "get", "10.200.99.1", ns=shop.ns)
    assert "No route to host" in far.err, "EHOSTUNREACH is an unreachable route's; without one it would leave"

    line.heal()
    watch = stream(client.ns, backend.v4, world.namespaces.workdir / "local.log")
    shop.enroll(world.operator.token(SHOP))
    until(lambda: shop.status().get("tunnels", {}).get(HUB, {}).get("up"), "the tunnel comes up", 40)
    newest = world.operator.read("plan", "show", SHOP)
    assert shop.status()["generation"] == newest["generation"]
    assert newest["prefixes"] == told["prefixes"]
    assert newest["identity"]["instance"] != "site"
    tally = watch.stop()
    assert not tally.lost, f"the enrolment cost the site's own pods {tally.lost} of {tally.sent} echoes"
    assert client.who_answers(SERVICE_NAME, SERVICE_PORT) == "web"
    refused = world.operator.call("plan", "site", SHOP, str(file))
    assert "is enrolled" in refused.text
