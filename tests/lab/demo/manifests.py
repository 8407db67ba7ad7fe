# SPDX-License-Identifier: Apache-2.0
"""The demo's manifests: what a platform engineer would write, as the YAML files that `apply` reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.demo.topology import (
    COMMUNITY,
    CONNECTORS,
    DEPOT_LAN,
    EDGES,
    PUBLIC,
    SERVICE,
    SERVICE_ADDRESSES,
    SERVICE_PORT,
    UNDERLAY,
    WORKER,
)
from tests.lab.pods import PORT
from tests.lab.sites import DEVICE_IN_LAN
from tests.lab.topology import Address


def edge(name: str) -> str:
    """The Node of an edge, as Kubernetes has it; its address means nothing outside its own LAN."""
    return f"""apiVersion: v1
kind: Node
metadata:
  name: {name}
  labels:
    node-role.kubernetes.io/edge: ""
    topology.kubernetes.io/region: stores
    kind: {"store" if name == "depot" else "shop"}
status:
  addresses:
    - {{type: InternalIP, address: {DEVICE_IN_LAN}}}
    - {{type: Hostname, address: {name}}}
"""


def cloud_node(name: str, connector: bool) -> str:
    """The Node of a connector or of any other machine of the cluster."""
    labels = ['node-role.kubernetes.io/connector: ""'] if connector else []
    labels += ["orillo.io/site: cloud", "topology.kubernetes.io/region: cloud"]
    annotation = (
        f"  annotations:\n    fabedge.io/node-public-addresses: {PUBLIC[name]}\n" if connector else ""
    )
    addresses = "".join(f'    - {{type: InternalIP, address: "{address}"}}\n' for address in UNDERLAY[name])
    return (
        f"apiVersion: v1\nkind: Node\nmetadata:\n  name: {name}\n{annotation}  labels:\n"
        + "".join(f"    {label}\n" for label in labels)
        + f"status:\n  addresses:\n{addresses}"
    )


def device(name: str, hubs: Sequence[str]) -> str:
    """Which connector an edge prefers."""
    return f"""apiVersion: orillo.io/v1alpha1
kind: Device
metadata:
  name: {name}
spec:
  hubs: [{", ".join(hubs)}]
"""


def depot() -> str:
    """What line the depot has, and that its LAN is in the fabric."""
    return f"""apiVersion: orillo.io/v1alpha1
kind: Device
metadata:
  name: depot
spec:
  uplink: wifi
  lan: [{DEPOT_LAN.network}]
"""


def one_way(name: str) -> str:
    """shop1 may ask those with the depot's label by HTTP; their services spill over while they are away."""
    return f"""apiVersion: orillo.io/v1alpha1
kind: Community
metadata:
  name: {name}
spec:
  from: {{members: [shop1]}}
  to: {{selector: {{matchLabels: {{kind: store}}}}}}
  ports: [{{port: {PORT}}}]
  onTunnelDown: spill
"""


def community(members: Sequence[str], name: str = COMMUNITY) -> str:
    """Who may reach whom."""
    return f"""apiVersion: orillo.io/v1alpha1
kind: Community
metadata:
  name: {name}
spec:
  members: [{", ".join(members)}]
"""


def service(
    backends: Mapping[str, Sequence[Address]],
    name: str = SERVICE,
    cluster: tuple[Address, ...] = SERVICE_ADDRESSES,
) -> str:
    """A service, and a slice for each family with the backends' addresses, by the node that they run on."""
    addresses = ", ".join(f'"{address}"' for address in cluster)
    documents = [
        f"""apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: default
spec:
  clusterIP: {cluster[0]}
  clusterIPs: [{addresses}]
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: PreferDualStack
  selector: {{app: {name}}}
  ports:
    - {{name: http, protocol: TCP, port: {SERVICE_PORT}, targetPort: {PORT}}}
"""
    ]
    documents += [_slice(name, version, backends) for version in (4, 6)]
    return "---\n".join(documents)


def _slice(name: str, version: int, backends: Mapping[str, Sequence[Address]]) -> str:
    endpoints = "".join(
        f'  - addresses: ["{address}"]\n    conditions: {{ready: true}}\n    nodeName: {node}\n'
        for node, addresses in backends.items()
        for address in addresses
        if address.version == version
    )
    return f"""apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-ipv{version}
  namespace: default
  labels:
    kubernetes.io/service-name: {name}
addressType: IPv{version}
ports:
  - {{name: http, protocol: TCP, port: {PORT}}}
endpoints:
{endpoints}"""


def write_site(directory: Path) -> list[Path]:
    """Nodes, devices and the community, one file for each matter."""
    nodes = [edge(name) for name in EDGES]
    nodes += [cloud_node(name, connector=True) for name in CONNECTORS]
    nodes += [cloud_node(WORKER, connector=False)]
    return [
        write(directory / "nodes.yaml", *nodes),
        write(
            directory / "devices.yaml", *(device(name, CONNECTORS) for name in ("shop1", "shop2")), depot()
        ),
        write(directory / "community.yaml", community(("shop1", "shop2"))),
    ]


def write(file: Path, *documents: str) -> Path:
    """A file of these documents."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("---\n".join(documents))
    return file
