# SPDX-License-Identifier: Apache-2.0
"""The links of ours: the one that holds our addresses, the XFRM interfaces, and those to other connectors.

The bridge of the pods is the CNI plug-in's, which makes it with the first pod.
"""

from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.interfaces import interfaces
from appliance.netcore.desired.relays import relays
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Address, Role
from appliance.netcore.spec import HOLDER, Ipsec, Link, LinkKind


def links(plan: Plan, facts: Facts) -> dict[str, Link]:
    """The wanted links by name, but for those between connectors."""
    held = frozenset({*plan.overlay, *plan.dns.bind, *_anchors(plan, facts)})
    wanted = {HOLDER: Link(LinkKind.HOLDER, held)}
    for one in interfaces(plan, facts):
        if one.if_id is not None:
            wanted[one.name] = Link(LinkKind.XFRM, if_id=one.if_id, mtu=plan.tunnel.mtu)
    return wanted


def relay_links(plan: Plan) -> dict[str, Link]:
    """The wanted links to other connectors by name."""
    return {
        relay.name: Link(LinkKind.VXLAN, mtu=relay.mtu, vxlan=relay.vxlan, neighbour=relay.neighbour)
        for relay in relays(plan).values()
    }


def _anchors(plan: Plan, facts: Facts) -> frozenset[Address]:
    """One address in each prefix of an edge, for libipsec: it refuses a selector that holds none of ours.

    The pods' bridge brings one, but only with the first pod. A prefix's first address is never a pod's.
    """
    if plan.place.role is not Role.EDGE or facts.ipsec is not Ipsec.LIBIPSEC:
        return frozenset()
    return frozenset(prefix.network_address for prefix in plan.prefixes)
