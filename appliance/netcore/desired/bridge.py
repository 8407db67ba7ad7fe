# SPDX-License-Identifier: Apache-2.0
"""The gateway addresses of the pods, on the bridge that the CNI plug-in makes with the first pod. Pure.

The plug-in puts them there once. The kernel drops a link's IPv6 addresses when it goes down, and nobody else
would put them back.
"""

from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from appliance.netcore.desired.facts import Facts
from appliance.netcore.plan.model import Plan

Interface = IPv4Interface | IPv6Interface


def gateways(plan: Plan, facts: Facts) -> dict[str, frozenset[Interface]]:
    """The wanted addresses by the name of the bridge; nothing while there is none."""
    if plan.cni is None or not facts.bridge or not plan.prefixes:
        return {}
    # host-local's own choice: the first address of each range.
    return {
        plan.cni.bridge: frozenset(
            ip_interface((prefix.network_address + 1, prefix.prefixlen)) for prefix in plan.prefixes
        )
    }
