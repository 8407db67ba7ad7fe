# SPDX-License-Identifier: Apache-2.0
"""From what a check saw to what it says."""

from ipaddress import IPv4Interface, ip_address

import pytest

from appliance.checks.hubs import Asked
from appliance.checks.tables import judge_forward, judge_input, judge_neighbours
from appliance.checks.tunnels import judge_outside, reason_code
from appliance.checks.uplink import judge
from appliance.netcore.health.kind import Finding
from appliance.netcore.kernel.host import Program
from appliance.netcore.kernel.other_tables import parse
from appliance.netcore.kernel.uplinks import Gateway, Port
from appliance.netcore.plan.model import Cni
from appliance.netcore.probe.ike import Answer
from tests.unit.plan.plans import edge_plan

ADDRESS = (IPv4Interface("192.168.1.10/24"),)
LINK_LOCAL = (IPv4Interface("169.254.7.7/16"),)
DEFAULT = (Gateway("eth0", ip_address("192.168.1.1")),)
HUB = ip_address("203.0.113.11")


def port(name: str = "eth0", *, up: bool = True, carrier: bool = True, addresses=ADDRESS) -> Port:  # type: ignore[no-untyped-def]
    return Port(name, up, carrier, 1500, "02:00:00:00:00:01", addresses)


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize(
    ("ports", "gateways", "expected"),
    [
        ((), (), ["link-none"]),
        ((port(),), DEFAULT, []),
        ((port(up=False, carrier=False, addresses=()),), (), ["link-disabled"]),
        ((port(carrier=False),), DEFAULT, ["link-no-carrier"]),
        ((port(addresses=()),), (), ["address-missing"]),
        ((port(addresses=LINK_LOCAL),), (), ["address-missing"]),
        ((port(),), (), ["route-default-missing"]),
        # An unused second port is nobody's fault, whatever state it is in.
        ((port(), port("eth1", carrier=False, addresses=())), DEFAULT, []),
        ((port(), port("eth1", up=False, carrier=False, addresses=())), DEFAULT, []),
    ],
)
def test_uplink_is_as_good_as_its_best_port(
    ports: tuple[Port, ...], gateways: tuple[Gateway, ...], expected: list[str]
) -> None:
    assert codes(judge(ports, gateways)) == expected


@pytest.mark.parametrize(
    ("ike", "natt", "expected"),
    [
        (Answer.ANSWERED, Answer.ANSWERED, []),
        (Answer.SILENT, Answer.SILENT, ["ike-no-answer"]),
        (Answer.REFUSED, Answer.REFUSED, ["ike-no-answer"]),
        (Answer.ANSWERED, Answer.SILENT, ["ike-4500-blocked"]),
        (Answer.SILENT, Answer.ANSWERED, ["ike-500-blocked"]),
        (Answer.NO_ROUTE, Answer.NO_ROUTE, ["hub-no-route"]),
        (Answer.BLOCKED, Answer.BLOCKED, ["firewall-foreign-output", "ike-no-answer"]),
    ],
)
def test_two_ports_tell_who_blocks(ike: Answer, natt: Answer, expected: list[str]) -> None:
    assert codes(judge_outside("hub", Asked(HUB, ike=ike, natt=natt))) == expected


def test_hub_without_an_address_is_a_name_that_nobody_knows() -> None:
    assert codes(judge_outside("hub", Asked(name="hub.example.org"))) == ["hub-name-unknown"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("establishing CHILD_SA 'probe' failed: received NO_PROPOSAL_CHOSEN notify error", "ike-no-proposal"),
        ("received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", "child-refused"),
        ("received TS_UNACCEPTABLE notify, no CHILD_SA built", "child-refused"),
        ("received AUTHENTICATION_FAILED notify error", "ike-auth-failed"),
        ("no trusted ECDSA public key found for '1.hub.lab'", "ike-peer-untrusted"),
        ("constraint check failed: identity '1.hub.lab' required", "ike-wrong-identity"),
        ("no private key found for '1.shop1.lab'", "ike-no-credentials"),
        (
            "unable to install inbound IPsec SA (SAD) in kernel: Function not implemented",
            "child-not-installable",
        ),
        ("the peer has not answered IKE yet", ""),
        ("", ""),
    ],
)
def test_charon_is_understood(words: str, code: str) -> None:
    assert reason_code(words) == code


DOCKER = """table ip filter {
	chain DOCKER-USER {
		counter packets 0 bytes 0 return
	}

	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		counter packets 9 bytes 900 jump DOCKER-USER
	}
}
table inet orillo {
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
"""
ACCEPTING = DOCKER.replace("return", "accept")
NAMING = DOCKER.replace("counter packets 0 bytes 0 return", 'iifname "br-orillo" accept')
STRICT = """table inet strict {
	set friends {
		type ipv4_addr
	}

	chain in {
		type filter hook input priority 5; policy drop;
		iifname "lo" accept
	}
}
"""


def test_listing_is_read_without_our_own_table() -> None:
    user, forward = parse(DOCKER)
    assert (user.table, user.name, user.hook) == ("ip filter", "DOCKER-USER", "")
    assert (forward.hook, forward.policy) == ("forward", "drop")
    assert forward.rules == ("counter packets 9 bytes 900 jump DOCKER-USER",)


@pytest.mark.parametrize(
    ("listing", "blocks"), [(DOCKER, True), (ACCEPTING, False), (NAMING, False), (STRICT, False), ("", False)]
)
def test_forward_chain_that_knows_no_pods_cuts_them_off(listing: str, blocks: bool) -> None:
    import msgspec

    plan = msgspec.structs.replace(edge_plan(), cni=Cni())
    assert bool(judge_forward(plan, parse(listing))) is blocks


def test_input_chain_has_to_let_answers_in() -> None:
    assert codes(judge_input(parse(STRICT))) == ["firewall-foreign-input"]
    established = STRICT.replace('iifname "lo" accept', "ct state established,related accept")
    assert judge_input(parse(established)) == []
    assert judge_input(parse(DOCKER)) == []


def test_neighbours_are_named_once_and_our_charon_is_none() -> None:
    seen = (Program(7, "charon"), Program(8, "charon"), Program(9, "dockerd"), Program(10, "dockerd"))
    found = judge_neighbours(seen, own_charon=7)
    assert [(one.code, one.evidence) for one in found] == [
        ("neighbour-charon", "charon is process 8"),
        ("neighbour-firewall", "dockerd is process 9"),
    ]
