# SPDX-License-Identifier: Apache-2.0
"""The links of ours."""

from ipaddress import ip_address

from appliance.netcore.desired.facts import Facts, Ipsec
from appliance.netcore.desired.links import links
from appliance.netcore.spec import Link, LinkKind
from tests.unit.plan.plans import edge_plan

HOLDER = Link(LinkKind.HOLDER, frozenset(map(ip_address, ("10.255.0.1", "fd00:255::1", "169.254.20.10"))))


def test_the_holder_has_overlay_and_dns_addresses_before_any_fact() -> None:
    assert links(edge_plan(), Facts()) == {"orillo0": HOLDER}


def test_the_tun_is_charons_and_needs_an_address_of_ours_in_each_prefix() -> None:
    wanted = links(edge_plan(), Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec0"))
    anchors = frozenset(map(ip_address, ("10.200.1.0", "fd00:200:0:1::")))
    assert wanted == {"orillo0": Link(LinkKind.HOLDER, HOLDER.addresses | anchors)}


def test_kernel_esp_has_an_xfrm_interface_for_each_hub() -> None:
    assert links(edge_plan(), Facts(ipsec=Ipsec.KERNEL)) == {
        "orillo0": HOLDER,
        "orillo-hub1": Link(LinkKind.XFRM, if_id=7411, mtu=1400),
        "orillo-hub2": Link(LinkKind.XFRM, if_id=7412, mtu=1400),
    }
