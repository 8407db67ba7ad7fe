# SPDX-License-Identifier: Apache-2.0
"""The world that a flashed card meets: an operator and a connector with a pod, in namespaces.

operator, connector-1 ── dc ── inet ── site ── the card (machine)
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from tests.lab.demo import manifests
from tests.lab.device import Device
from tests.lab.namespaces import Namespaces
from tests.lab.operator import Operator, init_options
from tests.lab.pods import Pod
from tests.lab.product import Installation, Product
from tests.lab.topology import End, Host, HostRole, Link, Route, Topology
from tests.vm.machine import Nic

HUB, EDGE, INTERNET = "connector-1", "gateway", "inet"
OPERATOR, HUB_ADDRESS = IPv4Address("203.0.113.10"), IPv4Address("203.0.113.11")
SITE_GATEWAY, ADDRESS = IPv4Interface("198.51.100.1/30"), IPv4Interface("198.51.100.2/30")
#: The site's second line.
SPARE_GATEWAY = IPv4Interface("198.51.100.5/30")
SPARE_ADDRESS, SPARE_NIC = IPv4Interface("198.51.100.6/30"), Nic("t-spare", "spare", "52:54:00:00:00:03")
_DC = IPv4Interface("203.0.113.1/24")
_POOLS = {
    "pod_pool": ("10.200.0.0/16", "fd00:200::/48"),
    "overlay_pool": ("10.255.0.0/16", "fd00:255::/64"),
    "service_range": ("10.96.0.0/16", "fd00:96::/112"),
}
NIC = Nic("t-card", "site", "52:54:00:00:00:02")
#: What the site's `orillo.toml` says of its uplink.
UPLINK = f"""
name = "{EDGE}"
[[uplink]]
link = "{NIC.mac}"
address = ["{ADDRESS}"]
gateway = ["{SITE_GATEWAY.ip}"]
dns = ["203.0.113.53"]
"""


@dataclass(frozen=True)
class Field:
    """All but the card."""

    namespaces: Namespaces
    operator: Operator
    hub: Device
    pod: Pod

    @property
    def internet(self) -> str:
        """Where the card's network card is plugged in."""
        return self.namespaces.name(INTERNET)


def build(namespaces: Namespaces) -> Field:
    """Operator, connector and its pod, running; the gateway's Node is known and nobody has its token yet."""
    namespaces.build(_topology())
    product, workdir = Product(), namespaces.workdir
    place = Installation(product.cloud, workdir / "operator", namespaces.name("operator"))
    operator = Operator(place, workdir / "operator/serve.log")
    operator.init("lab", *init_options(str(OPERATOR), domain=["cluster.local"], **_POOLS))
    operator.start()
    operator.apply(manifests.write(workdir / "site.yaml", _connector(), manifests.edge(EDGE)))
    hub = _device(namespaces, product, HUB)
    hub.enroll(operator.token(HUB))
    hub.start()
    hub.wait_for_conflist(60)
    pod = Pod("cloud", hub, namespaces, IPv4Address("169.254.20.10"), "cluster.local")
    pod.start()
    return Field(namespaces, operator, hub, pod)


def _device(namespaces: Namespaces, product: Product, name: str) -> Device:
    root = namespaces.workdir / name
    return Device(name, Installation(product.appliance, root, namespaces.name(name)), root / "logs")


def _topology() -> Topology:
    return Topology(
        hosts=(
            Host(INTERNET, HostRole.ROUTER, bridges=("dc", "site", "spare")),
            Host("operator", HostRole.OPERATOR, (Route(_DC.ip),)),
            Host(HUB, HostRole.DEVICE, (Route(_DC.ip),)),
        ),
        links=(
            Link(
                End("operator", "public", (IPv4Interface(f"{OPERATOR}/24"),)),
                End(INTERNET, "p-operator", bridge="dc"),
            ),
            Link(
                End(HUB, "public", (IPv4Interface(f"{HUB_ADDRESS}/24"),)), End(INTERNET, "p-hub", bridge="dc")
            ),
        ),
        bridge_addresses=(
            End(INTERNET, "dc", (_DC,)),
            End(INTERNET, "site", (SITE_GATEWAY,)),
            End(INTERNET, "spare", (SPARE_GATEWAY,)),
        ),
    )


def _connector() -> str:
    return f"""apiVersion: v1
kind: Node
metadata:
  name: {HUB}
  annotations: {{fabedge.io/node-public-addresses: {HUB_ADDRESS}}}
  labels: {{node-role.kubernetes.io/connector: "", orillo.io/site: cloud}}
status:
  addresses: [{{type: InternalIP, address: {HUB_ADDRESS}}}]
"""
