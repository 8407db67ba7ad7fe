# SPDX-License-Identifier: Apache-2.0
"""Pure: who is in which set of the firewall, and the declarations of sets and maps.

Every set of prefixes exists once a family, with the family's number at the end of its name.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.plan.values import Prefix, Role, host_prefix
from appliance.netcore.ruleset import Elements


@dataclass(frozen=True)
class Family:
    """How nftables speaks of one IP version."""

    version: int
    name: str
    address_type: str
    icmp: str
    headers: int  # of IP and TCP, in bytes: what the MSS is smaller by than the MTU


FAMILIES = (
    Family(4, "ip", "ipv4_addr", "icmp", 40),
    Family(6, "ip6", "ipv6_addr", "ipv6-icmp", 60),
)


def group_set(group: str) -> str:
    """The name of the set of a group's prefixes. No group has a slash in its name, so none are confused."""
    return f"group_{group.replace(':', '/')}_"


def prefixes_of(peer: Peer) -> tuple[Prefix, ...]:
    """All that counts as this peer: what stands behind it, and its overlay addresses."""
    return (*peer.prefixes, *(host_prefix(address) for address in peer.overlay))


def prefix_sets(plan: Plan) -> Mapping[str, tuple[Prefix, ...]]:
    """The members of every set of prefixes, both families together.

    pods: the device's own pods; lan: the site's network as far as it is in the fabric; own: both of these;
    overlay: its overlay addresses; peers: all of them; remote: those that are reached through a tunnel only;
    fabric: all that must never leave in clear; foreign: gateways of other clusters; cloud:
    endpoints that are no edges; hubs: the overlay addresses of the other connectors.
    """
    overlay = tuple(host_prefix(address) for address in plan.overlay)
    peers = _members(plan.peers.values())
    foreign = _members(peer for peer in plan.peers.values() if peer.cluster)
    edges = _members(peer for peer in plan.peers.values() if peer.role is Role.EDGE)
    cloud = _members(p for p in plan.peers.values() if p.role is not Role.EDGE and not p.cluster)
    own = (*plan.prefixes, *plan.lan)
    here = (*own, *overlay)
    sets = {
        "own": own,
        "pods": plan.prefixes,
        "lan": plan.lan,
        "overlay": overlay,
        "service_range": plan.service_range,
        "peers": peers,
        "remote": peers if plan.place.role is Role.EDGE else (*edges, *foreign),
        "foreign": foreign,
        "fabric": (*plan.fabric, *plan.service_range, *here, *peers),
    }
    if plan.place.role is not Role.EDGE:
        hubs = (p for p in plan.peers.values() if p.role is Role.CONNECTOR and not p.cluster)
        overlays = tuple(host_prefix(address) for hub in hubs for address in hub.overlay)
        sets |= {"cloud": (*here, *cloud), "hubs": overlays}
    return sets | {group_set(group): _group(plan, group, here) for group in ruled_groups(plan)}


def ruled_groups(plan: Plan) -> tuple[str, ...]:
    """The groups that the policy's rules speak of."""
    rules = plan.policy.values()
    return tuple(sorted({rule.source for rule in rules} | {rule.destination for rule in rules}))


def prefix_elements(prefixes: Iterable[Prefix], version: int) -> Elements:
    """Prefixes of one version as nft lists them: none inside another, a single address without length."""
    if version == 4:
        merged: Iterator[Prefix] = collapse_addresses(p for p in prefixes if isinstance(p, IPv4Network))
    else:
        merged = collapse_addresses(p for p in prefixes if isinstance(p, IPv6Network))
    return {_text(prefix): None for prefix in merged}


def declarations(names: Iterable[str]) -> Iterator[str]:
    """The sets of links and of prefixes, and the maps of services."""
    for links in ("tunnels", "relays", "inside"):
        yield f"set {links} {{ type ifname; }}"
    for family in FAMILIES:
        for name in names:
            yield f"set {name}{family.version} {{ type {family.address_type}; flags interval; }}"
        key = f"inet_proto . {family.address_type} . inet_service"
        yield f"map services{family.version} {{ type {key} : verdict; }}"
        target = f"{family.name} daddr . th dport"
        slot = f"meta l4proto . {target} . numgen random mod 65536"
        yield f"map backends{family.version} {{ typeof {slot} : {target}; }}"


def link_elements(names: Collection[str]) -> Elements:
    """Names of links as nft lists them."""
    return {f'"{name}"': None for name in sorted(names)}


def _group(plan: Plan, group: str, here: tuple[Prefix, ...]) -> tuple[Prefix, ...]:
    """A group's peers. On an edge the device itself is left out: its rules name it by its own prefixes."""
    peers = _members(peer for peer in plan.peers.values() if group in peer.groups)
    return (*peers, *here) if group in plan.groups and plan.place.role is not Role.EDGE else peers


def _members(peers: Iterable[Peer]) -> tuple[Prefix, ...]:
    return tuple(prefix for peer in peers for prefix in prefixes_of(peer))


def _text(prefix: Prefix) -> str:
    return str(prefix.network_address) if prefix.prefixlen == prefix.max_prefixlen else str(prefix)
