# SPDX-License-Identifier: Apache-2.0
"""The pods' gateway addresses."""

from ipaddress import ip_interface

from msgspec import structs

from appliance.netcore.desired.bridge import gateways
from appliance.netcore.desired.facts import Facts
from appliance.netcore.plan.model import Cni
from tests.unit.plan.plans import edge_plan

PLAN = structs.replace(edge_plan(), cni=Cni())


def test_first_address_of_each_prefix_on_the_bridge() -> None:
    wanted = frozenset(map(ip_interface, ("10.200.1.1/24", "fd00:200:0:1::1/64")))
    assert gateways(PLAN, Facts(bridge=True)) == {"br-orillo": wanted}


def test_nothing_without_a_bridge_or_a_pod_network() -> None:
    assert gateways(PLAN, Facts()) == {}
    assert gateways(structs.replace(PLAN, cni=None), Facts(bridge=True)) == {}
