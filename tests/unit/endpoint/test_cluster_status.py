# SPDX-License-Identifier: Apache-2.0
"""What is said of another cluster: pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from cloud.cluster_status import HEARD_EVERY, SILENT_AFTER, Neighbour, cluster_status, worth_writing
from cloud.source.clusters import ClusterDocument, Gateway
from cloud.source.status import ClusterState, Condition, condition_of
from cloud.talks import Talk

NOW = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)
GATEWAYS = {
    name: Gateway(ike_id=f"1.{name}.west", addresses=("203.0.113.1",), overlay=(ip_address("10.252.0.1"),))
    for name in ("hub-1", "hub-2")
}
SAID = ClusterDocument(cluster="west", ca=("pem",), gateways=GATEWAYS)
BARE = ClusterDocument(cluster="west", ca=())
WELL = Neighbour("west", "east", SAID, NOW, Talk(NOW), gateways={"hub-1": True, "hub-2": True})


def condition(status: ClusterState, kind: str) -> Condition:
    found = condition_of(status.conditions, kind)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("change", "kind", "answer", "message"),
    [
        ({}, "Heard", "True", ""),
        ({}, "Degraded", "False", ""),
        ({"talk": Talk()}, "Heard", "Unknown", "there `token create --name east`"),
        ({"talk": Talk(), "document": None, "gateways": {}}, "Heard", "False", "here `cluster join TOKEN`"),
        ({"talk": Talk(), "document": None, "gateways": {}}, "Planned", "False", ""),
        ({"talk": Talk(NOW - SILENT_AFTER)}, "Heard", "False", "since 2026-05-01 11:59 UTC"),
        ({"talk": Talk(NOW - SILENT_AFTER)}, "Degraded", "True", "what it said last is in force"),
        ({"talk": Talk(NOW - SILENT_AFTER, "refused")}, "Heard", "False", "refused"),
        ({"talk": Talk(NOW - timedelta(seconds=9), "refused")}, "Heard", "True", ""),
        ({"refused": "two of them"}, "Heard", "False", "two of them"),
        ({"gateways": {"hub-1": True, "hub-2": False}}, "TunnelUp", "True", ""),
        ({"gateways": {"hub-1": True, "hub-2": False}}, "Degraded", "True", "hub-2 out of reach: the others"),
        ({"gateways": {"hub-1": False, "hub-2": False}}, "TunnelUp", "False", "hub-1, hub-2"),
        ({"gateways": {"hub-1": None, "hub-2": None}}, "TunnelUp", "Unknown", ""),
        (
            {"document": ClusterDocument(cluster="west", ca=()), "gateways": {}},
            "Planned",
            "False",
            "no connector",
        ),
    ],
)
def test_what_is_said(change: dict[str, object], kind: str, answer: str, message: str) -> None:
    status = cluster_status(replace(WELL, **change), None, NOW)  # type: ignore[arg-type]
    found = condition(status, kind)
    assert found.status == answer
    assert message in found.message
    if answer != {"Degraded": "False"}.get(kind, "True") and message:
        assert status.message


def test_in_one_line() -> None:
    status = cluster_status(WELL, None, NOW)
    assert (status.gateways, status.tunnels, status.services, status.message) == (2, "2/2", 0, "")
    assert status.document is not None
    assert status.document["gateways"].keys() == GATEWAYS.keys()


def test_a_condition_keeps_its_time_and_what_was_heard_before_a_restart_stays_told() -> None:
    before = cluster_status(WELL, None, NOW)
    later = cluster_status(replace(WELL, talk=Talk()), before, NOW + timedelta(hours=1))
    assert condition(later, "Planned").last_transition_time == NOW
    assert later.heard == NOW


def test_that_it_was_heard_again_is_written_now_and_then() -> None:
    before = cluster_status(WELL, None, NOW)
    soon = cluster_status(replace(WELL, talk=Talk(NOW + timedelta(seconds=30))), before, NOW)
    later = cluster_status(replace(WELL, talk=Talk(NOW + HEARD_EVERY)), before, NOW)
    assert [worth_writing(status, before) for status in (before, soon, later)] == [False, False, True]
    assert worth_writing(before, None)
    assert worth_writing(cluster_status(replace(WELL, gateways={"hub-1": False}), before, NOW), before)
