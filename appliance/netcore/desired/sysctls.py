# SPDX-License-Identifier: Apache-2.0
"""The kernel settings that a router with tunnels needs (Documentation/networking/ip-sysctl)."""

from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.interfaces import interfaces
from appliance.netcore.desired.relays import relays
from appliance.netcore.plan.model import Plan

#: Without redirects: a hub that answers a packet from a tunnel with one sends it into the tunnel.
#: `rp_filter` drops packets whose source has only the unreachable route, and the larger of "all" and the
#: interface's own counts.
_ALWAYS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/conf/all/rp_filter": "0",
}


def sysctls(plan: Plan, facts: Facts) -> dict[str, str]:
    """The wanted settings by their path below /proc/sys."""
    wanted = dict(_ALWAYS)
    for link in facts.uplinks:
        # The interface's own setting is or-ed with that of "all".
        wanted[f"net/ipv4/conf/{link}/send_redirects"] = "0"
    for link in facts.advertised:
        # A host that forwards ignores router advertisements, unless told 2: its default route would expire.
        wanted[f"net/ipv6/conf/{link}/accept_ra"] = "2"
    tunnels = [one.name for one in interfaces(plan, facts)]
    for name in (*tunnels, *(relay.name for relay in relays(plan).values())):
        wanted[f"net/ipv4/conf/{name}/rp_filter"] = "0"
        wanted[f"net/ipv4/conf/{name}/send_redirects"] = "0"
    return wanted
