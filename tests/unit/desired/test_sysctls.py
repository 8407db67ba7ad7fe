# SPDX-License-Identifier: Apache-2.0
"""The kernel settings."""

from appliance.netcore.desired.facts import Facts, Ipsec
from appliance.netcore.desired.sysctls import sysctls
from tests.unit.plan.plans import edge_plan

BASE = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/conf/all/rp_filter": "0",
}


def test_a_router_before_any_fact() -> None:
    assert sysctls(edge_plan(), Facts()) == BASE


def test_tunnel_interfaces_filter_no_source_and_redirect_nobody() -> None:
    wanted = sysctls(edge_plan(), Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec1"))
    assert wanted == BASE | {
        "net/ipv4/conf/ipsec1/rp_filter": "0",
        "net/ipv4/conf/ipsec1/send_redirects": "0",
    }
    assert "net/ipv4/conf/orillo-hub2/rp_filter" in sysctls(edge_plan(), Facts(ipsec=Ipsec.KERNEL))


def test_uplinks_redirect_nobody_and_keep_their_router_advertisements() -> None:
    wanted = sysctls(edge_plan(), Facts(uplinks=("eth0", "eth1.7"), advertised=("eth0",)))
    assert wanted == BASE | {
        "net/ipv4/conf/eth0/send_redirects": "0",
        "net/ipv4/conf/eth1.7/send_redirects": "0",
        "net/ipv6/conf/eth0/accept_ra": "2",
    }
