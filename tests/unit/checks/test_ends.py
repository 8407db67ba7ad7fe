# SPDX-License-Identifier: Apache-2.0
"""What somebody means by an end of a path, and what the policy says of it."""

import pytest
from msgspec.structs import replace

from appliance.checks.ends import End, find_end, policy
from appliance.netcore.plan.model import PortRange, Rule
from appliance.netcore.plan.values import Protocol
from tests.unit.plan.plans import edge_plan


@pytest.mark.parametrize(
    ("text", "device", "own", "service", "outside"),
    [
        ("self", "shop1", True, "", False),
        ("shop1", "shop1", True, "", False),
        ("10.200.1.7", "shop1", True, "", False),
        ("shop2", "shop2", False, "", False),
        ("10.200.2.9", "shop2", False, "", False),
        ("fd00:255::21", "worker-1", False, "", False),
        ("10.96.0.10", "", False, "default/web", False),
        ("web", "", False, "default/web", False),
        ("default/web", "", False, "default/web", False),
        ("web.default", "", False, "default/web", False),
        ("web.default.svc.cluster.local", "", False, "default/web", False),
        ("192.0.2.1", "", False, "", True),
        ("10.200.99.1", "", False, "", False),
        ("10.96.0.99", "", False, "", False),
        ("nobody", "", False, "", False),
    ],
)
def test_end_is_found_by_what_people_have_at_hand(
    text: str, device: str, own: bool, service: str, outside: bool
) -> None:
    end = find_end(edge_plan(), text)
    assert (end.device, end.own, end.service, end.outside) == (device, own, service, outside)
    assert end.known is bool(device or service or outside)


def test_unknown_end_is_kept_as_it_was_said() -> None:
    assert find_end(edge_plan(), "nobody") == End("nobody")


def test_policy_names_the_rule_or_the_groups() -> None:
    plan = edge_plan()
    assert policy(plan, "shop2", None, outbound=True).text == "rule community:shops allows it"
    assert policy(plan, "worker-1", 80, outbound=False).text == "rule cloud-to-edge allows it"
    stranger = replace(plan, peers=plan.peers | {"shop2": replace(plan.peers["shop2"], groups=("other",))})
    refused = policy(stranger, "shop2", None, outbound=True)
    assert not refused.allowed
    assert "other" in refused.text


def test_policy_looks_at_the_port() -> None:
    web = (PortRange(protocol=Protocol.TCP, first=80, last=81),)
    rule = Rule(source="community:shops", destination="community:shops", allow=web)
    plan = replace(edge_plan(), policy={"community:shops": rule})
    assert policy(plan, "shop2", 81, outbound=True).allowed
    refused = policy(plan, "shop2", 22, outbound=True)
    assert not refused.allowed
    assert "TCP 80-81" in refused.text
