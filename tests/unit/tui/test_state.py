# SPDX-License-Identifier: Apache-2.0
"""What is known grows from snapshots and from silence."""

import msgspec

from appliance.status.model import Condition, Event, Severity
from appliance.tui.look import Look
from appliance.tui.state import Happening, answered, changes, heard
from tests.unit.status.snapshots import healthy, unenrolled
from tests.unit.tui.screens import broken, known, later, with_tunnel


def told(one: Happening) -> str:
    return Look().say(one.text, **one.about)


def texts(*words: object) -> list[str]:
    return [told(one) for one in known(*words).happened]  # type: ignore[arg-type]


def test_equal_snapshots_are_no_news() -> None:
    assert list(changes(healthy(), later(healthy()))) == []


def test_what_went_wrong_is_told_once() -> None:
    said = texts(healthy(), later(broken()), later(broken(), 2))
    assert "tunnel connector-1 is down: no answer on UDP 500 and 4500" in said
    assert "traffic goes by - (was connector-1)" in said
    assert "service default/web:http: answered by nobody" in said
    assert len(said) == len(set(said))


def test_recovery_is_told() -> None:
    said = texts(broken(), later(healthy()))
    assert "tunnel connector-1 is up" in said
    assert any(text.endswith(": over") for text in said)


def test_enrolment_and_a_new_plan_are_told() -> None:
    said = texts(unenrolled(), healthy(), later(msgspec.structs.replace(healthy(), generation=13)))
    assert "enrolled as shop1" in said
    assert "plan: generation 12 -> 13" in said


def test_a_silent_daemon_is_told_once_and_its_return_too() -> None:
    found = known(healthy(), "the daemon does not run", "the daemon does not run", later(healthy(), 9))
    assert [told(one) for one in found.happened] == ["the daemon does not run", "the daemon answers again"]
    assert found.trouble == ""


def test_rates_are_bytes_a_second() -> None:
    first = healthy()
    second = with_tunnel(later(first, 2), "connector-1", bytes_in=1_201_000, bytes_out=1_900)
    rates = known(first, second).rates["connector-1"]
    assert (rates.into, rates.out) == ((500.0,), (500.0,))


def test_a_new_sa_that_counts_from_zero_makes_no_rate() -> None:
    again = with_tunnel(later(healthy()), "connector-1", bytes_in=10, bytes_out=10)
    assert known(healthy(), again).rates["connector-1"].into == ()


def test_a_clock_that_jumped_back_makes_no_rate() -> None:
    assert known(healthy(), later(healthy(), -30)).rates == {}


def test_a_consequence_that_its_cause_hides_is_not_over() -> None:
    cause = Condition("link-down", Severity.FAULT, "no carrier", hides=("no-tunnel", "table-failed"))
    said = texts(broken(), later(msgspec.structs.replace(broken(), conditions=(cause,))))
    assert said == ["link-down: no carrier"]


def test_what_the_daemon_remembers_comes_first() -> None:
    event = Event(at=healthy().at, code="clock-wrong", text="the clock is wrong", active=False)
    assert texts(msgspec.structs.replace(healthy(), events=(event,))) == ["clock-wrong: over"]


def test_an_examination_counts_until_something_changes() -> None:
    examined = answered(known(healthy()), "doctor", {"conditions": [], "checks": ["clock"]})
    assert heard(examined, later(healthy())).examined is not None
    assert heard(examined, later(broken())).examined is None
