# SPDX-License-Identifier: Apache-2.0
"""Three connectors with one site each: what two can't show of the way from hub to hub.

    operator, connector-1, -2, -3 ── public ── inet ══ router ── edge-1, edge-2   (masqueraded, equal LANs)
                                                  ╚═══════════ edge-3            (a public address)

Edge n prefers connector n, and has the other two behind it. There is one pod on each edge.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, ip_address
from itertools import combinations, permutations

from tests.lab import capture
from tests.lab.capture import Capture
from tests.lab.demo import manifests
from tests.lab.device import Daemon, Device
from tests.lab.namespaces import Namespaces
from tests.lab.operator import Operator, init_options
from tests.lab.pods import Pod
from tests.lab.product import Installation, Product
from tests.lab.sites import INTERNET, Site, site
from tests.lab.topology import End, Host, HostRole, Link, NatKind, Route, Topology
from tests.lab.traffic import Stream, stream
from tests.lab.wait import until

CONNECTORS = ("connector-1", "connector-2", "connector-3")
EDGES = ("edge-1", "edge-2", "edge-3")
PUBLIC = {
    name: IPv4Address(f"203.0.113.{10 + number}") for number, name in enumerate(("operator", *CONNECTORS))
}
#: Every two edges, and every two connectors.
EDGE_PAIRS = tuple(permutations(EDGES, 2))
HUB_PAIRS = tuple(combinations(CONNECTORS, 2))
POD_POOL = ("10.200.0.0/16", "fd00:200::/48")
OVERLAY_POOL = ("10.255.0.0/16", "fd00:255::/64")

_GATEWAY = IPv4Address("203.0.113.1")
_CACHE = ip_address("169.254.20.10")
_KINDS = (NatKind.MASQUERADE, NatKind.MASQUERADE, NatKind.NONE)
_SITES = {
    name: site(name, number, kind, ())
    for number, (name, kind) in enumerate(zip(EDGES, _KINDS, strict=True), 1)
}
_AT_ONCE = 3


def preferred(edge: str) -> tuple[str, ...]:
    """The connectors of an edge, its own first."""
    first = EDGES.index(edge)
    return (*CONNECTORS[first:], *CONNECTORS[:first])


def site_of(edge: str) -> Site:
    """Where an edge is: its router, and the address that the internet sees it under."""
    return _SITES[edge]


def topology() -> Topology:
    """All of it."""
    roles = {name: HostRole.OPERATOR if name == "operator" else HostRole.DEVICE for name in PUBLIC}
    return Topology(
        hosts=(
            Host(INTERNET, HostRole.ROUTER, bridges=("dc",)),
            *(Host(name, role, (Route(_GATEWAY),)) for name, role in roles.items()),
            *(host for place in _SITES.values() for host in place.hosts),
        ),
        links=(
            *map(_public_link, PUBLIC),
            *(link for place in _SITES.values() for link in place.links),
        ),
        nats=tuple(one for place in _SITES.values() for one in place.nats),
        bridge_addresses=(End(INTERNET, "dc", (IPv4Interface(f"{_GATEWAY}/24"),)),),
    )


def _public_link(name: str) -> Link:
    address = IPv4Interface(f"{PUBLIC[name]}/24")
    return Link(End(name, "public", (address,)), End(INTERNET, f"p-{name}", bridge="dc"))


@dataclass
class ThreeHubs:
    """The running hosts. `wire` has seen every packet on the internet."""

    namespaces: Namespaces
    operator: Operator
    wire: Capture
    devices: dict[str, Device]
    pods: dict[str, Pod] = field(default_factory=dict)

    def hub_of(self, edge: str) -> str:
        """The connector whose site child carries this edge's traffic; empty for none."""
        return str(self.devices[edge].status().get("hub") or "")

    def stream(self, source: str, target: str) -> Stream:
        """Echo requests from one edge's pod to another's, ten a second."""
        log = self.namespaces.workdir / f"streams/{source}-{target}.log"
        return stream(self.pods[source].ns, self.pods[target].v4, log)

    def lose_power(self, connector: str) -> None:
        """Its cable goes dead at the other end, and its daemons end without a word."""
        self.namespaces.unplug(_public_link(connector).b)
        self.devices[connector].kill()


def build(namespaces: Namespaces, say: Callable[[str], None] = lambda _: None) -> ThreeHubs:
    """Everything up to every edge's traffic by its own connector; `say` gets a line for each step."""
    product, workdir = Product(), namespaces.workdir
    say("hosts, links and the operator")
    namespaces.build(topology())
    place = Installation(product.cloud, workdir / "operator", namespaces.name("operator"))
    roots = {name: workdir / name for name in (*CONNECTORS, *EDGES)}
    world = ThreeHubs(
        namespaces,
        Operator(place, workdir / "operator/serve.log"),
        capture.start(namespaces.name(INTERNET), "any", workdir / "internet.pcap", _outer_and_inner()),
        {
            name: Device(name, Installation(product.appliance, root, namespaces.name(name)), root / "logs")
            for name, root in roots.items()
        },
    )
    _start_operator(world)
    say("devices and pods")
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        list(workers.map(lambda name: _start_device(world, name), world.devices))
    say("tunnels")
    for edge in EDGES:
        until(lambda edge=edge: _settled(world, edge), f"{edge} uses its connector", 40, 0.3)  # type: ignore[misc]
    return world


def _outer_and_inner() -> str:
    inner = " or ".join(f"net {prefix}" for prefix in (*POD_POOL, *OVERLAY_POOL))
    return f"udp port 500 or udp port 4500 or {inner}"


def _start_operator(world: ThreeHubs) -> None:
    options = init_options(str(PUBLIC["operator"]), pod_pool=POD_POOL, overlay_pool=OVERLAY_POOL)
    world.operator.init("lab", *options)
    world.operator.start()
    documents = [
        *map(_connector, CONNECTORS),
        *map(manifests.edge, EDGES),
        *(manifests.device(edge, preferred(edge)) for edge in EDGES),
        manifests.community(EDGES),
    ]
    world.operator.apply(manifests.write(world.namespaces.workdir / "site.yaml", *documents))


def _connector(name: str) -> str:
    """Its address in the cloud's own network is its public one here."""
    return f"""apiVersion: v1
kind: Node
metadata:
  name: {name}
  annotations: {{fabedge.io/node-public-addresses: {PUBLIC[name]}}}
  labels: {{node-role.kubernetes.io/connector: "", orillo.io/site: cloud}}
status:
  addresses: [{{type: InternalIP, address: {PUBLIC[name]}}}]
"""


def _start_device(world: ThreeHubs, name: str) -> None:
    device = world.devices[name]
    device.enroll(world.operator.token(name))
    device.start(Daemon.CHARON, Daemon.AGENT)
    if name in EDGES:
        device.wait_for_conflist(30)
        pod = world.pods[name] = Pod(name, device, world.namespaces, _CACHE, "")
        pod.start()


def _settled(world: ThreeHubs, edge: str) -> bool:
    status = world.devices[edge].status()
    up = [name for name, tunnel in status.get("tunnels", {}).items() if tunnel["up"]]
    return sorted(up) == list(CONNECTORS) and status.get("hub") == preferred(edge)[0]
