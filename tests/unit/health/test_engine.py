# SPDX-License-Identifier: Apache-2.0
"""Causes hide their consequences, and nothing flickers."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.netcore.health.condition import Severity
from appliance.netcore.health.engine import Board, conclude
from appliance.netcore.health.kind import Finding

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def codes(*findings: Finding) -> list[str]:
    return [condition.code for condition in conclude(findings)]


def test_nothing_found_is_nothing_told() -> None:
    assert conclude([]) == ()


def test_pulled_cable_is_named_and_not_what_follows() -> None:
    """With all that a device without a cable finds, in any order."""
    found = [
        Finding("tunnels-all-down"),
        Finding("tunnel-down", about={"peer": "hub1"}),
        Finding("ike-down", about={"peer": "hub1"}),
        Finding("ike-no-answer", about={"peer": "hub1"}),
        Finding("dns-upstream-silent", about={"server": "192.0.2.53"}),
        Finding("control-silent", about={"host": "192.0.2.1", "port": "443"}),
        Finding("internet-unreachable"),
        Finding("link-no-carrier", "no carrier", {"link": "eth0"}),
    ]
    for order in (found, found[::-1]):
        (condition,) = conclude(order)
        assert condition.code == "link-no-carrier"
        assert condition.evidence == "no carrier"
        assert "eth0" in condition.text
        assert "tunnels-all-down" in condition.hides
        assert condition.severity is Severity.FAULT


def test_cause_is_about_the_same_peer() -> None:
    """One hub's silence does not explain the other's."""
    found = [
        Finding("ike-no-answer", about={"peer": "hub1"}),
        Finding("ike-down", about={"peer": "hub1"}),
        Finding("ike-down", about={"peer": "hub2"}),
    ]
    told = conclude(found)
    assert [(one.code, one.about["peer"]) for one in told] == [
        ("ike-no-answer", "hub1"),
        ("ike-down", "hub2"),
    ]


def test_cause_is_as_grave_as_its_consequences() -> None:
    (condition,) = conclude(
        [
            Finding("ike-4500-blocked", about={"peer": "hub1"}),
            Finding("ike-down", about={"peer": "hub1"}),
            Finding("tunnels-all-down"),
        ]
    )
    assert condition.code == "ike-4500-blocked"
    assert condition.severity is Severity.FAULT
    assert condition.hides == ("ike-down", "tunnels-all-down")


def test_gravest_comes_first_and_then_what_is_nearer_to_the_box() -> None:
    found = [Finding("cni-shadowed"), Finding("memory-low"), Finding("rules-bypassed"), Finding("disk-full")]
    assert codes(*found) == ["disk-full", "rules-bypassed", "memory-low", "cni-shadowed"]


def test_condition_has_to_last_before_it_is_shown() -> None:
    board = Board()
    down = Finding("tunnel-down", about={"peer": "hub1"})
    assert board.update([down], at(0)) == ()
    assert board.update([down], at(9)) == ()
    (condition,) = board.update([down], at(10))
    assert condition.since == START


def test_cause_that_is_not_shown_yet_hides_its_consequences_already() -> None:
    """Or the consequence would be named first, and the cause later."""
    board = Board()
    lossy = Finding("uplink-lossy", about={"loss": "40"})
    down = Finding("ike-down", about={"peer": "hub1"})
    for second in (0, 10, 20):
        assert board.update([lossy, down], at(second)) == ()
    assert [one.code for one in board.update([lossy, down], at(30))] == ["uplink-lossy"]


def test_condition_is_dropped_when_it_was_gone_for_long_enough() -> None:
    board = Board()
    low = Finding("memory-low")
    board.update([low], at(0))
    assert len(board.update([low], at(30))) == 1
    assert len(board.update([], at(60))) == 1
    assert board.update([], at(90)) == ()
    assert not board.pending


def test_what_came_back_has_to_last_anew() -> None:
    board = Board()
    down = Finding("tunnel-down", about={"peer": "hub1"})
    board.update([down], at(0))
    board.update([], at(5))
    assert board.update([down], at(12)) == ()


def test_events_say_what_came_and_what_went() -> None:
    board = Board(keep=3)
    missing = Finding("not-enrolled")
    board.update([missing], at(0))
    board.update([missing], at(1))
    board.update([], at(2))
    assert [(event.code, event.active, event.at) for event in board.events] == [
        ("not-enrolled", True, at(0)),
        ("not-enrolled", False, at(2)),
    ]
    board.update([missing], at(3))
    board.update([], at(4))
    assert len(board.events) == 3


def test_unknown_code_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError):
        conclude([Finding("no-such-thing")])
