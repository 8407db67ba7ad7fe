# SPDX-License-Identifier: Apache-2.0
"""The connections that charon is to have: their names, ends and children (DESIGN.md, "Tunnels").

Pure. No connection starts by itself: steering initiates, because only the probes know which tunnel carries
anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from msgspec.structs import replace

from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.interfaces import xfrm_interfaces
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Plan, Tunnel
from appliance.netcore.plan.values import Address, Prefix, Role, host_prefix
from appliance.netcore.spec import Ipsec
from appliance.netcore.tunnel import PROBE, SITE

_IKE_PORT = 500  # RFC 7296, section 2.23: only on this port IKE goes without the marker of NAT traversal


#: What lies behind a hub, as a selector: our routes and firewall decide what really goes there.
_EVERYTHING: tuple[Prefix, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@dataclass(frozen=True)
class Child:
    """A CHILD SA's template: which inner addresses it carries, and the XFRM interface that it belongs to."""

    local_ts: tuple[Prefix, ...]
    remote_ts: tuple[Prefix, ...]
    if_id: int | None = None


@dataclass(frozen=True)
class Connection:
    """What charon is to know about one peer.

    `local_addrs` pins the outer source. An empty `remote_addrs` waits for the peer to come, from anywhere.
    `waits_for` is what must be known before it can be loaded; empty if nothing. `ca` are the CA certificates
    (PEM) that may vouch for the peer; empty for all that are believed.
    """

    local_id: str
    remote_id: str
    children: Mapping[str, Child]
    tunnel: Tunnel
    local_addrs: tuple[str, ...] = ()
    remote_addrs: tuple[str, ...] = ()
    mobike: bool = True
    waits_for: str = ""
    ca: tuple[str, ...] = ()


def connections(plan: Plan, facts: Facts) -> dict[str, Connection]:
    """The connections by name, which is the peer's. A cloud-node has none."""
    revoked = set(plan.trust.revoked)
    wished = {
        Role.EDGE: _of_edge,
        Role.CONNECTOR: _of_connector,
        Role.CLOUD_NODE: _of_cloud_node,
    }[plan.place.role](plan, facts)
    return {name: conn for name, conn in wished if not _is_revoked(name, conn, plan.identity, revoked)}


def _is_revoked(name: str, conn: Connection, own: Identity, revoked: set[str]) -> bool:
    instance = conn.remote_id.partition(".")[0]
    return Identity(cluster=own.cluster, name=name, instance=instance).uri in revoked


def _of_cloud_node(_plan: Plan, _facts: Facts) -> Iterator[tuple[str, Connection]]:
    yield from ()


def _of_edge(plan: Plan, facts: Facts) -> Iterator[tuple[str, Connection]]:
    site = (*plan.prefixes, *plan.lan, *_hosts(plan.overlay))
    for name, peer in plan.hubs.items():
        if_id = _if_id(plan, facts, name)
        children = {
            PROBE: Child(_hosts(plan.overlay), _hosts(peer.overlay), if_id),
            SITE: Child(site, _EVERYTHING, if_id),
        }
        yield name, _dialled(plan, facts, name, children, peer.addresses)


def _of_connector(plan: Plan, facts: Facts) -> Iterator[tuple[str, Connection]]:
    for name, peer in plan.peers.items():
        if_id = _if_id(plan, facts, name)
        probe = Child(_hosts(plan.overlay), _hosts(peer.overlay), if_id)
        if peer.role is Role.EDGE:
            site = Child(_EVERYTHING, (*peer.prefixes, *_hosts(peer.overlay)), if_id)
            yield name, _awaited(plan, facts, name, {PROBE: probe, SITE: site})
        elif peer.role is Role.CONNECTOR:
            # What edges say to each other across connectors goes inside it (desired/relays.py).
            children = {PROBE: probe}
            if dials(plan, name):
                addresses = peer.addresses or tuple(str(address) for address in peer.underlay)
                yield name, _dialled(plan, facts, name, children, addresses)
            else:
                yield name, _awaited(plan, facts, name, children)


def _if_id(plan: Plan, facts: Facts, name: str) -> int | None:
    """The XFRM interface of the peer's tunnels, where ESP is the kernel's."""
    interface = xfrm_interfaces(plan).get(name)
    return interface.if_id if interface is not None and facts.ipsec is Ipsec.KERNEL else None


def dials(plan: Plan, name: str) -> bool:
    """Whether this device initiates to that peer: edges to hubs, and of two connectors the first by name.

    Of two clusters the connectors of the first by name do.
    """
    peer = plan.peers[name]
    if peer.role is not Role.CONNECTOR:
        return False
    if peer.cluster:
        return plan.identity.cluster < peer.cluster
    return plan.place.role is Role.EDGE or (plan.place.role is Role.CONNECTOR and plan.identity.name < name)


def _hosts(addresses: tuple[Address, ...]) -> tuple[Prefix, ...]:
    return tuple(host_prefix(address) for address in addresses)


def _awaited(plan: Plan, facts: Facts, name: str, children: Mapping[str, Child]) -> Connection:
    """A peer that comes to us, from anywhere: most of them stand behind a NAT."""
    delay = plan.peers[name].dpd_delay
    return Connection(
        local_id=plan.identity.ike_id,
        remote_id=plan.peers[name].ike_id,
        children=children,
        tunnel=plan.tunnel if delay is None else replace(plan.tunnel, dpd_delay=delay),
        mobike=plan.peers[name].role is Role.EDGE,
        waits_for=_waits_for(plan, facts, name),
        ca=_ca(plan, name),
    )


def _ca(plan: Plan, name: str) -> tuple[str, ...]:
    """Whose word counts for this peer. Only where several are believed does it have to be said."""
    peer = plan.peers[name]
    several = any(each.ca for each in plan.peers.values())
    return peer.ca if peer.cluster else plan.trust.ca if several else ()


def _dialled(
    plan: Plan, facts: Facts, name: str, children: Mapping[str, Child], addresses: tuple[str, ...]
) -> Connection:
    source = facts.sources.get(name)
    addresses = turned(addresses, facts.turns.get(name, 0))
    reachable = addresses if source is None else tuple(a for a in addresses if _same_family(a, source))
    return Connection(
        local_id=plan.identity.ike_id,
        remote_id=plan.peers[name].ike_id,
        children=children,
        tunnel=plan.tunnel,
        local_addrs=() if source is None else (str(source),),
        remote_addrs=reachable,
        # Hubs stand still; MOBIKE would tell one of all the other's addresses and move between them.
        mobike=plan.place.role is Role.EDGE,
        waits_for=_waits_for(plan, facts, name),
        ca=_ca(plan, name),
    )


def turned(addresses: tuple[str, ...], turns: int) -> tuple[str, ...]:
    """The addresses with the one to dial first: charon tries no other than the first that it can use."""
    at = turns % len(addresses) if addresses else 0
    return (*addresses[at:], *addresses[:at])


def _waits_for(plan: Plan, facts: Facts, name: str) -> str:
    if facts.ipsec is None:
        return "charon to say how it does ESP"
    return f"a route to {name}" if lacks_route(plan, facts, name) else ""


def lacks_route(plan: Plan, facts: Facts, name: str) -> bool:
    """Whether an edge has no way to a hub now. Of a hub that is known by DNS names only nobody can tell."""
    addresses = plan.peers[name].addresses
    return (
        plan.place.role is Role.EDGE
        and name not in facts.sources
        and any(_literal(address) is not None for address in addresses)
    )


def _same_family(address: str, source: Address) -> bool:
    """Whether one can be reached from the other; a name may turn out to be either."""
    literal = _literal(address)
    return literal is None or literal.version == source.version


def _literal(address: str) -> Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


def settings(conn: Connection) -> dict[str, Any]:
    """The connection as VICI's `load-conn` takes it; swanctl.conf(5) has the names."""
    tunnel = conn.tunnel
    rendered: dict[str, Any] = {
        "version": "2",
        "remote_addrs": list(conn.remote_addrs or ("%any",)),
        "proposals": list(tunnel.ike_proposals),
        "encap": "yes",
        "mobike": "yes" if conn.mobike else "no",
        "dpd_delay": f"{tunnel.dpd_delay}s",
        "rekey_time": f"{tunnel.ike_rekey}s",
        # Steering tries again, with what the probes and links say; charon itself would only repeat.
        "keyingtries": "1",
        "unique": "replace",
        "local": {"auth": "pubkey", "id": conn.local_id},
        "remote": {"auth": "pubkey", "id": conn.remote_id},
        "children": {name: _child_settings(child, tunnel) for name, child in conn.children.items()},
    }
    if conn.ca:
        rendered["remote"]["cacerts"] = list(conn.ca)
    if conn.local_addrs:
        rendered["local_addrs"] = list(conn.local_addrs)
    if tunnel.ike_port != _IKE_PORT:
        # Off port 500 there is no floating to the other port: everything goes over the second from the start.
        rendered |= {"local_port": str(tunnel.natt_port), "remote_port": str(tunnel.natt_port)}
    return rendered


def _child_settings(child: Child, tunnel: Tunnel) -> dict[str, Any]:
    rendered: dict[str, Any] = {
        "mode": "tunnel",
        "local_ts": [str(prefix) for prefix in child.local_ts],
        "remote_ts": [str(prefix) for prefix in child.remote_ts],
        "esp_proposals": list(tunnel.esp_proposals),
        "rekey_time": f"{tunnel.child_rekey}s",
        "start_action": "none",
        "dpd_action": "clear",
        "close_action": "none",
    }
    if child.if_id is not None:
        # The outer packet may be fragmented, since the tunnel's MTU never goes below IPv6's minimum.
        rendered |= {"if_id_in": str(child.if_id), "if_id_out": str(child.if_id), "copy_df": "no"}
    return rendered
