# SPDX-License-Identifier: Apache-2.0
"""Events are told once, when something changes."""

from datetime import UTC, datetime
from typing import Literal

from cloud.object_events import Subject, news, refusal, subject_of
from cloud.source.status import Condition

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


SHOP1 = Subject("orillo.io/v1alpha1", "Device", "shop1")


def told(answer: Literal["True", "False", "Unknown"]) -> tuple[Condition, ...]:
    """A tunnel that is like this."""
    return (Condition("TunnelUp", answer, "Because", NOW, "no echo"),)


def test_a_change_is_told_once() -> None:
    (event,) = news(SHOP1, told("True"), told("False"), NOW)
    assert (event["type"], event["reason"]) == ("Warning", "Because")
    assert "no echo" in event["message"]
    assert [event["type"] for event in news(SHOP1, told("False"), told("True"), NOW)] == ["Normal"]


def test_what_is_no_change_is_not_told() -> None:
    for before in (None, told("True")):
        assert list(news(SHOP1, before, told("True"), NOW)) == []
    assert list(news(SHOP1, told("True"), told("Unknown"), NOW)) == []


def test_an_event_is_where_its_object_is() -> None:
    event = refusal(subject_of(("Service", "shop", "web")), "the reason", NOW)
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Service",
        "name": "web",
        "namespace": "shop",
    }
    assert subject_of(("Service", "shop", "web")).events == "/api/v1/namespaces/shop/events"
    assert subject_of(("Node", "", "a")).events == "/api/v1/namespaces/default/events"
    assert (event["type"], event["message"]) == ("Warning", "the reason")
