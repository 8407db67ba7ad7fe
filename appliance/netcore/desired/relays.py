# SPDX-License-Identifier: Apache-2.0
"""The links between connectors, which carry what an edge of one says to an edge of another.

One point-to-point VXLAN link to each other connector. Its outer packets go from overlay address to overlay
address, and so inside the tunnel that the two keep for probing: selectors stay exact, however many
connectors there are, and nothing is negotiated when an edge moves. What came from another connector is known
by the link that it came in on.
"""

from dataclasses import dataclass

from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.plan.values import Address, Role
from appliance.netcore.spec import TUNNEL_PREFIX, Vxlan

#: UDP. Not 4789, which pod networks use on the same hosts.
PORT = 7411
#: IP, UDP and VXLAN headers around the inner Ethernet one.
_OVERHEAD = {4: 20 + 8 + 8 + 14, 6: 40 + 8 + 8 + 14}
#: Below it IPv6 is not carried (RFC 8200, section 5). The outer packet is cut in pieces instead.
_LEAST_MTU = 1280
_NETWORKS = 1 << 24


@dataclass(frozen=True)
class Relay:
    """The link to one connector. `neighbour` is the hardware address at its far end."""

    name: str
    mtu: int
    vxlan: Vxlan
    neighbour: str


def relays(plan: Plan) -> dict[str, Relay]:
    """The links to the other connectors by their names; none on other roles."""
    if plan.place.role is not Role.CONNECTOR:
        return {}
    others = {name: peer for name, peer in plan.peers.items() if peer.role is Role.CONNECTOR}
    found = {name: _relay(plan, peer) for name, peer in others.items() if not peer.cluster}
    return {name: relay for name, relay in found.items() if relay is not None}


def relay_mtu(plan: Plan) -> int:
    """The smallest MTU of these links."""
    return min((relay.mtu for relay in relays(plan).values()), default=plan.tunnel.mtu)


def _relay(plan: Plan, peer: Peer) -> Relay | None:
    ends = _ends(plan.overlay, peer.overlay)
    if ends is None:
        return None
    local, remote = ends
    return Relay(
        name=f"{TUNNEL_PREFIX}{_low(remote):08x}",
        mtu=max(_LEAST_MTU, plan.tunnel.mtu - _OVERHEAD[local.version]),
        vxlan=Vxlan(_network(local, remote), local, remote, PORT, _hardware(local)),
        neighbour=_hardware(remote),
    )


def _ends(own: tuple[Address, ...], theirs: tuple[Address, ...]) -> tuple[Address, Address] | None:
    """An overlay address of each in a family that both have; IPv4 first, for its smaller header."""
    for version in (4, 6):
        local = next((address for address in own if address.version == version), None)
        remote = next((address for address in theirs if address.version == version), None)
        if local is not None and remote is not None:
            return local, remote
    return None


def _network(one: Address, other: Address) -> int:
    """The VXLAN network identifier, of 24 bits: the same at both ends, and no two on one host are equal.

    The kernel tells links by it, not by where a packet is from. For one own address the exclusive or is
    different for every other one, as long as they differ in these bits: as in any pool of up to 2^24.
    """
    return (_low(one) ^ _low(other)) % _NETWORKS


def _hardware(address: Address) -> str:
    """A locally administered hardware address. VXLAN drops what has the receiver's own as its source."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0x00, *address.packed[-4:]))


def _low(address: Address) -> int:
    return int.from_bytes(address.packed[-4:])
