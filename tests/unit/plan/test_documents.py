# SPDX-License-Identifier: Apache-2.0
"""Tokens, identities, and the rules that hold inside a plan."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netcore.plan.identity import Identity, parse_uri
from appliance.netcore.plan.model import Plan, PortRange, Rule
from appliance.netcore.plan.token import Token, TokenError, parse_token
from appliance.netcore.plan.validation import check
from appliance.netcore.plan.values import Protocol, Role, decode, encode
from tests.unit.plan.plans import SHOP1, edge_plan

TOKEN = Token(
    id="k3j2",
    secret="do-not-show",  # noqa: S106 -- made up
    enroll_url="https://203.0.113.5:8443",
    control_url="https://203.0.113.5",
    ca_pin="ab" * 32,
)


def test_plan_survives_its_json() -> None:
    assert decode(encode(edge_plan()), Plan) == edge_plan()


def test_token_survives_its_text() -> None:
    assert parse_token(f"  {TOKEN.to_text()}\n") == TOKEN


def test_token_shows_no_secret() -> None:
    assert "do-not-show" not in repr(TOKEN)


@given(st.text())
def test_any_other_text_is_no_token_and_is_not_repeated(text: str) -> None:
    with pytest.raises(TokenError) as caught:
        parse_token("orillo1.x" + text)
    assert len(text) < 4 or text not in str(caught.value)


def test_cut_token_says_that_it_is_damaged() -> None:
    with pytest.raises(TokenError, match="damaged"):
        parse_token(TOKEN.to_text()[:-9])


def test_identity_survives_its_uri() -> None:
    assert parse_uri(SHOP1.uri) == SHOP1


@pytest.mark.parametrize(
    "uri", ["", "https://lab/shop1/x", "orillo://lab/shop1", "orillo://lab/Shop/00", "orillo:////"]
)
def test_other_uris_are_no_identity(uri: str) -> None:
    with pytest.raises(ValueError, match="no device identity"):
        parse_uri(uri)


def test_reenrolled_device_is_another_identity_to_ike() -> None:
    successor = Identity(cluster="lab", name="shop1", instance="ffffffff")
    assert successor.ike_id != SHOP1.ike_id
    assert successor.endpoint_name == SHOP1.endpoint_name


def test_sound_plan_has_no_contradictions() -> None:
    assert check(edge_plan()) == ()


def test_hubs_are_ordered_by_priority() -> None:
    plan = edge_plan()
    swapped = plan.peers | {
        "connector-1": msgspec.structs.replace(plan.peers["connector-1"], priority=30),
    }
    assert list(plan.hubs) == ["connector-1", "connector-2"]
    assert list(msgspec.structs.replace(plan, peers=swapped).hubs) == ["connector-2", "connector-1"]


def _with(plan: Plan, **changes: object) -> Plan:
    return msgspec.structs.replace(plan, **changes)


def test_each_contradiction_is_named() -> None:
    plan = edge_plan()
    peers = plan.peers
    web = plan.services["default/web"]
    cases = {
        "generation 0 is below 1": _with(plan, generation=0),
        "MTU 1200 is below 1280": _with(plan, tunnel=msgspec.structs.replace(plan.tunnel, mtu=1200)),
        "shop1 is its own peer": _with(
            plan, peers=peers | {"shop1": msgspec.structs.replace(peers["shop2"], prefixes=())}
        ),
        "shop2 has a hub's priority but is a edge": _with(
            plan, peers=peers | {"shop2": msgspec.structs.replace(peers["shop2"], priority=5)}
        ),
        "shop2 is reached through a hub, and there is none": _with(plan, peers={"shop2": peers["shop2"]}),
        "rule x has a port range with no sense": _with(
            plan,
            policy={
                "x": Rule(
                    source="edge",
                    destination="edge",
                    allow=(PortRange(protocol=Protocol.TCP, first=9, last=3),),
                )
            },
        ),
        "rule x is about groups that nobody is in": _with(
            plan, policy={"x": Rule(source="moon", destination="mars")}
        ),
        "services default/other and default/web both want 10.96.0.10 tcp/80": _with(
            plan, services=plan.services | {"default/other": web}
        ),
    }
    for sentence, broken in cases.items():
        assert any(sentence in problem for problem in check(broken)), (sentence, check(broken))


def test_roles_are_the_names_on_the_outside() -> None:
    assert [role.value for role in Role] == ["edge", "connector", "cloud-node"]
