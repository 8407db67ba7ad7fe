# SPDX-License-Identifier: Apache-2.0
"""The links of ours: the one that holds our addresses, and the XFRM interfaces.

The bridge of the pods is the CNI plug-in's, which makes it with the first pod.
"""

from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.interfaces import interfaces
from appliance.netcore.plan.model import Plan
from appliance.netcore.spec import HOLDER, Link, LinkKind


def links(plan: Plan, facts: Facts) -> dict[str, Link]:
    """The wanted links by name."""
    wanted = {HOLDER: Link(LinkKind.HOLDER, frozenset({*plan.overlay, *plan.dns.bind}))}
    for one in interfaces(plan, facts):
        if one.if_id is not None:
            wanted[one.name] = Link(LinkKind.XFRM, if_id=one.if_id, mtu=plan.tunnel.mtu)
    return wanted
