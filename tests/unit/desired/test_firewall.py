# SPDX-License-Identifier: Apache-2.0
"""The firewall's text and sets. What they do to packets is in tests/contract/test_nft_traffic.py."""

import re
from ipaddress import ip_address, ip_network

import msgspec
import pytest

from appliance.netcore.desired.facts import Facts, Ipsec
from appliance.netcore.desired.firewall import firewall
from appliance.netcore.desired.firewall_rules import chains
from appliance.netcore.desired.firewall_sets import prefix_elements
from appliance.netcore.plan.identity import Place
from appliance.netcore.plan.model import Cni, Plan, PortRange, Rule
from appliance.netcore.plan.values import Protocol, Role
from appliance.netcore.ruleset import Delta, Elements, difference, ruleset
from tests.unit.plan.plans import connector_plan, edge_plan

UP = Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec0")


def plan_of(role: Role, **changes: object) -> Plan:
    return msgspec.structs.replace(edge_plan(), place=Place(role=role, site="here"), **changes)


def chain(plan: Plan, name: str) -> list[str]:
    """The rules of one chain, without its hook."""
    text = "\n".join(chains(plan))
    found = re.search(rf"^chain {name} \{{\n(.*?)^\}}$", text, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return [line.strip() for line in found[1].splitlines() if "policy accept;" not in line]


@pytest.mark.parametrize("role", Role)
def test_all_that_is_named_is_declared_first(role: Role) -> None:
    base = firewall(plan_of(role), UP).base or ""
    declared: set[str] = set()
    for line in base.splitlines():
        head = re.match(r"(?:set|map|chain) (\S+) \{", line)
        named = set(re.findall(r"@(\S+)", line)) | set(re.findall(r"jump (\S+)", line))
        assert named <= declared
        if head:
            declared.add(head[1])
    assert firewall(plan_of(role), UP).elements.keys() <= declared


@pytest.mark.parametrize("role", Role)
def test_both_families_have_the_same_rules(role: Role) -> None:
    allow = (PortRange(protocol=Protocol.TCP, first=80, last=90), PortRange(protocol=Protocol.ICMP))
    rules = {"r": Rule(source="cloud", destination="edge", allow=allow)}
    lines = list(chains(plan_of(role, policy=rules)))
    four = [line for line in lines if re.search(r"\bip |ipv4", line)]
    six = [line for line in lines if re.search(r"\bip6 |ipv6", line)]
    as_four = [
        re.sub(r"(@\S+)6\b", r"\g<1>4", line)
        .replace("ip6 ", "ip ")
        .replace("ipv6-icmp", "icmp")
        .replace("ipv6", "ipv4")
        .replace("1340", "1360")
        .replace("1290", "1310")
        for line in six
    ]
    assert as_four == four
    assert four


def test_facts_change_elements_only() -> None:
    plan = plan_of(Role.EDGE)
    before, after = firewall(plan, Facts()), firewall(plan, UP)
    assert before.digest == after.digest
    assert difference(before.elements, after.elements) == Delta(
        {}, {"tunnels": {'"ipsec0"': None}, "inside": {'"ipsec0"': None}}
    )


def test_without_a_tunnel_only_our_own_links_are_inside() -> None:
    elements = firewall(plan_of(Role.EDGE, cni=Cni()), Facts()).elements
    assert "tunnels" not in elements
    assert elements["inside"].keys() == {'"br-orillo"', '"lo"', '"orillo0"'}


def test_kernel_esp_has_an_interface_for_each_hub() -> None:
    elements = firewall(plan_of(Role.EDGE), Facts(ipsec=Ipsec.KERNEL)).elements
    assert elements["tunnels"].keys() == {'"orillo-hub1"', '"orillo-hub2"'}


def test_the_fabric_is_also_what_lies_outside_its_pools() -> None:
    """A node's own podCIDR may be anywhere; it must not leave in clear for that."""
    shop2 = edge_plan().peers["shop2"]
    far = msgspec.structs.replace(shop2, prefixes=(ip_network("172.30.0.0/24"),))
    peers = {**edge_plan().peers, "shop2": far}
    fabric = firewall(plan_of(Role.EDGE, peers=peers), UP).elements["fabric4"]
    assert fabric.keys() == {"10.96.0.0/16", "10.200.0.0/16", "10.255.0.0/16", "172.30.0.0/24"}


def test_an_edge_opens_what_its_groups_may() -> None:
    allow = (
        PortRange(protocol=Protocol.TCP, first=80, last=80),
        PortRange(protocol=Protocol.UDP, first=1000, last=2000),
        PortRange(protocol=Protocol.SCTP),
        PortRange(protocol=Protocol.ICMP),
    )
    plan = plan_of(
        Role.EDGE,
        policy={
            "in": Rule(source="cloud", destination="edge", allow=allow),
            "out": Rule(source="edge", destination="cloud"),
            "theirs": Rule(source="cloud", destination="community:other"),
        },
    )
    assert [rule for rule in chain(plan, "from_peers") if rule.startswith("ip ")] == [
        "ip saddr @group_cloud_4 ip daddr @own4 tcp dport 80 accept",
        "ip saddr @group_cloud_4 ip daddr @own4 udp dport 1000-2000 accept",
        "ip saddr @group_cloud_4 ip daddr @own4 meta l4proto sctp accept",
        "ip saddr @group_cloud_4 ip daddr @own4 meta l4proto icmp accept",
    ]
    assert chain(plan, "to_peers") == [
        "ip saddr @own4 ip daddr @group_cloud_4 accept",
        "ip6 saddr @own6 ip6 daddr @group_cloud_6 accept",
    ]


def test_a_device_in_no_group_opens_nothing() -> None:
    plan = plan_of(Role.EDGE, groups=())
    assert chain(plan, "from_peers") == chain(plan, "to_peers") == []


def test_the_guard_stands_where_translated_packets_leave() -> None:
    plan = plan_of(Role.EDGE, cni=Cni())
    assert (
        chain(plan, "egress")[0]
        == "ip daddr != @lan4 ip daddr @fabric4 oifname != @inside rt ipsec missing drop"
    )
    assert "chain egress {\n\ttype filter hook postrouting" in (firewall(plan, UP).base or "")
    # Without a bridge of ours, who knows which link our own prefixes are on.
    bare = chain(plan_of(Role.EDGE), "egress")[0]
    assert bare == "ip daddr != @own4 ip daddr @fabric4 oifname != @inside rt ipsec missing drop"


def test_a_connector_passes_on_nothing_from_one_connector_to_another() -> None:
    connector = connector_plan()
    elements = firewall(connector, UP).elements
    assert elements["relays"].keys() == {'"orillo-0aff000c"'}
    assert elements["tunnels"].keys() == {'"ipsec0"', '"orillo-0aff000c"'}
    assert elements["remote4"].keys() == {"10.200.2.0/24", "10.255.0.2"}
    first, pair = chain(connector, "forward")[1], "ip saddr @group_edge_4 ip daddr @group_cloud_4 accept"
    assert first == "iifname @relays oifname @relays drop"
    assert pair in chain(connector, "forward")
    assert "ip saddr @group_cloud_4 ip daddr @group_edge_4 accept" in chain(connector, "forward")
    assert chain(connector, "forward")[-2:] == ["iifname @tunnels drop", "oifname @tunnels drop"]


def test_only_a_connector_by_its_tunnel_speaks_on_the_links_between_connectors() -> None:
    assert firewall(connector_plan(), UP).elements["hubs4"].keys() == {"10.255.0.12"}
    ends = "ip saddr @hubs4 ip daddr @overlay4 udp dport 7411"
    rules = chain(connector_plan(), "input")
    allowed = rules.index(f"iifname @tunnels iifname != @relays {ends} accept")
    assert allowed < rules.index("udp dport 7411 drop") < rules.index("iifname != @tunnels accept")
    guard = "ip daddr @hubs4 udp dport 7411 oifname != @tunnels rt ipsec missing drop"
    assert guard in chain(connector_plan(), "egress")


def test_the_segment_size_fits_the_links_between_connectors() -> None:
    """By 50 bytes of headers less, in both families."""
    sizes = [rule.split()[-1] for rule in chain(connector_plan(), "egress") if "@relays" in rule]
    assert sizes == ["1310", "1290"]
    assert not [rule for rule in chain(plan_of(Role.EDGE), "egress") if "@relays" in rule]


def test_a_one_way_rule_lets_answers_through_a_connector() -> None:
    """It judges without state, so the way back is a pair of its own."""
    one_way = plan_of(Role.CONNECTOR, policy={"out": Rule(source="edge", destination="cloud")})
    pairs = [rule for rule in chain(one_way, "forward") if "group" in rule and rule.startswith("ip ")]
    assert pairs == [
        "ip saddr @group_cloud_4 ip daddr @group_edge_4 accept",
        "ip saddr @group_edge_4 ip daddr @group_cloud_4 accept",
    ]


def test_the_device_itself_is_in_its_groups_on_the_cloud_side() -> None:
    node = plan_of(Role.CLOUD_NODE, groups=("cloud",))
    elements = firewall(node, Facts()).elements
    assert {"10.200.1.0/24", "10.255.0.1"} <= elements["group_cloud_4"].keys()
    edge = firewall(plan_of(Role.EDGE, groups=("cloud",)), Facts()).elements
    assert "10.200.1.0/24" not in edge["group_cloud_4"]


def test_a_cloud_node_knows_no_tunnels() -> None:
    rules = chain(plan_of(Role.CLOUD_NODE), "forward") + chain(plan_of(Role.CLOUD_NODE), "egress")
    assert not any("@tunnels" in rule for rule in rules)


def test_prefixes_are_written_as_nft_lists_them() -> None:
    nets = ("10.0.0.0/24", "10.0.1.0/24", "10.0.0.128/25", "10.9.0.1/32", "fd00::1/128")
    prefixes = tuple(ip_network(text) for text in nets)
    assert list(prefix_elements(prefixes, 4)) == ["10.0.0.0/23", "10.9.0.1"]
    assert list(prefix_elements(prefixes, 6)) == ["fd00::1"]


def test_a_new_value_is_removed_and_added() -> None:
    old: dict[str, Elements] = {"m": {"a": "1", "b": "2"}, "gone": {"x": None}}
    new: dict[str, Elements] = {"m": {"a": "1", "b": "3", "c": "4"}}
    assert difference(old, new) == Delta({"m": {"b": "2"}, "gone": {"x": None}}, {"m": {"b": "3", "c": "4"}})
    assert not difference(new, new)


def test_rulesets_are_compared_by_rules_and_elements() -> None:
    one = ruleset("a", {"s": {"x": None}, "empty": {}})
    assert one == ruleset("a", {"s": {"x": None}})
    assert one != ruleset("b", {"s": {"x": None}})
    assert one != ruleset("a", {"s": {"y": None}})


def test_dead_backends_are_of_no_concern_to_the_rules() -> None:
    dead = Facts(ipsec=UP.ipsec, tun=UP.tun, dead=frozenset({(ip_address("10.200.1.5"), 8080)}))
    assert firewall(edge_plan(), UP).digest == firewall(edge_plan(), dead).digest
