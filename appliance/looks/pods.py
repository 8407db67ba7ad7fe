# SPDX-License-Identifier: Apache-2.0
"""The pod network of this device: by its files, its bridge, and the leases; no Kubernetes is asked."""

from ipaddress import IPv4Network, ip_network
from pathlib import Path

from appliance.netcore.desired.cni import CONFLIST, conflist
from appliance.netcore.kernel.files import read
from appliance.netcore.kernel.leases import Lease, leases, pod_names
from appliance.netcore.kernel.pod_links import Bridge, PodLinkDoor
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Prefix
from appliance.paths import Paths
from appliance.status.views import Pod, PodNetwork, Range

#: As in our conflist, and so in the names of what runtimes keep.
_NETWORK = "orillo"
_MOST = 500


async def pods(door: PodLinkDoor, plan: Plan | None, paths: Paths) -> PodNetwork:
    """Raises `DoorError`."""
    if plan is None or plan.cni is None:
        return PodNetwork()
    held = leases(paths.cni_leases / _NETWORK)
    bridge = await door.bridge(plan.cni.bridge)
    names = pod_names(paths.cni_results, _NETWORK)
    return PodNetwork(
        conflist=_conflist(plan, paths),
        file=str(paths.cni / CONFLIST),
        others=_others(paths.cni),
        bridge=plan.cni.bridge,
        bridge_up=bridge is not None and bridge.up,
        bridge_mtu=bridge.mtu if bridge else 0,
        mtu=plan.cni.mtu,
        addresses=tuple(map(str, bridge.addresses)) if bridge else (),
        ranges=tuple(_range(prefix, held) for prefix in plan.prefixes),
        links=len(bridge.links) if bridge else 0,
        pods=_pods(held, bridge, names)[:_MOST],
    )


def _conflist(plan: Plan, paths: Paths) -> str:
    data = read(paths.cni / CONFLIST)
    if data is None or plan.cni is None:
        return "missing"
    return "ok" if data == conflist(plan.cni, plan.prefixes, paths.cni_leases) else "differs"


def _others(directory: Path) -> tuple[str, ...]:
    """What a runtime would take before ours: it takes the first by name."""
    try:
        names = sorted(path.name for path in directory.iterdir())
    except OSError:
        return ()
    return tuple(name for name in names if name.endswith((".conf", ".conflist", ".json")) and name < CONFLIST)


def _range(prefix: Prefix, held: tuple[Lease, ...]) -> Range:
    # Without the network's own, the bridge's, and for IPv4 the broadcast address.
    size = prefix.num_addresses - (3 if isinstance(prefix, IPv4Network) else 2)
    used = sum(one.address.version == prefix.version and one.address in prefix for one in held)
    return Range(str(ip_network(prefix)), max(0, size), used)


def _pods(held: tuple[Lease, ...], bridge: Bridge | None, names: dict[str, str]) -> tuple[Pod, ...]:
    by_container: dict[tuple[str, str], list[Lease]] = {}
    for one in held:
        by_container.setdefault((one.container, one.interface), []).append(one)
    found = [_pod(of, bridge, names.get(container, "")) for (container, _), of in by_container.items()]
    return tuple(sorted(found, key=lambda pod: (pod.name, pod.container)))


def _pod(held: list[Lease], bridge: Bridge | None, name: str) -> Pod:
    neighbours = bridge.neighbours if bridge else {}
    seen = [neighbours[one.address] for one in held if one.address in neighbours]
    best = next((one for one in seen if one.state != "failed"), seen[0] if seen else None)
    return Pod(
        container=held[0].container,
        interface=held[0].interface,
        name=name,
        addresses=tuple(str(one.address) for one in sorted(held, key=lambda one: one.address.version)),
        mac=best.mac if best else "",
        neighbour=best.state if best else "",
    )
