# SPDX-License-Identifier: Apache-2.0
"""Which interface carries the tunnels to a peer.

With ESP in the kernel every path class has an XFRM interface of its own, or the kernel drops what arrives
from a second hub (XfrmInTmplMismatch). With kernel-libipsec charon has one TUN for everything.
"""

from dataclasses import dataclass

from appliance.netcore.desired.facts import Facts
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Role
from appliance.netcore.spec import TUNNEL_PREFIX, Ipsec

_FIRST_HUB_ID = 7411


@dataclass(frozen=True)
class Interface:
    """A tunnel interface. `if_id` ties it to its SAs (ip-xfrm(8)); None for charon's TUN."""

    name: str
    if_id: int | None = None


EDGES = Interface(f"{TUNNEL_PREFIX}edges", 7410)
#: Between connectors. One for all of them: the selectors there are single addresses, and no two are equal.
MESH = Interface(f"{TUNNEL_PREFIX}mesh", 7420)


def xfrm_interfaces(plan: Plan) -> dict[str, Interface]:
    """The XFRM interface towards each peer that this device has tunnels with, by the peer's name."""
    if plan.place.role is Role.EDGE:
        # Numbered by name and not by priority, so that a new order of the hubs moves no tunnel.
        return {
            hub: Interface(f"{TUNNEL_PREFIX}hub{index + 1}", _FIRST_HUB_ID + index)
            for index, hub in enumerate(sorted(plan.hubs))
        }
    if plan.place.role is Role.CONNECTOR:
        classes = {Role.EDGE: EDGES, Role.CONNECTOR: MESH}
        return {name: classes[peer.role] for name, peer in plan.peers.items() if peer.role in classes}
    return {}


def interface(plan: Plan, facts: Facts, peer: str) -> Interface | None:
    """The interface towards `peer`; None if there is none, or while it can't be known yet."""
    tunnelled = xfrm_interfaces(plan).get(peer)
    if tunnelled is None or facts.ipsec is None:
        return None
    if facts.ipsec is Ipsec.KERNEL:
        return tunnelled
    return Interface(facts.tun) if facts.tun else None


def interfaces(plan: Plan, facts: Facts) -> tuple[Interface, ...]:
    """All tunnel interfaces of this device that are known now, each once, by name."""
    known = {interface(plan, facts, peer) for peer in xfrm_interfaces(plan)}
    return tuple(sorted((one for one in known if one), key=lambda one: one.name))
