# SPDX-License-Identifier: Apache-2.0
"""The newest claim wins, whatever way the claims come."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netcore.ownership.claims import Claims, Snapshot, read, snapshot_of, write

OWNERS = ("connector-1", "connector-2", "connector-3")
EDGES = ("shop1", "shop2", "depot")

histories = st.fixed_dictionaries(
    {
        owner: st.lists(
            st.dictionaries(st.sampled_from(EDGES), st.integers(0, 1000).map(lambda n: n * 10.0)), min_size=1
        )
        for owner in OWNERS
    }
)


@given(histories, st.randoms(), st.integers(0, 10**6))
def test_receivers_converge_whatever_the_order_of_the_streams(
    history: dict[str, list[dict[str, float]]], order: random.Random, clock: int
) -> None:
    """Each stream keeps its order; between streams, and between clocks, there is none."""

    def receive(start: float) -> dict[str, str]:
        streams = {owner: list(snapshots) for owner, snapshots in history.items()}
        claims, now = Claims(), start
        while any(streams.values()):
            owner = order.choice([name for name, left in streams.items() if left])
            claims = claims.told(Snapshot(owner, streams[owner].pop(0)), now)
        return claims.owners()

    assert receive(0.0) == receive(float(clock))
    last = Claims()
    for owner, snapshots in history.items():
        last = last.told(Snapshot(owner, snapshots[-1]), 0.0)
    assert receive(0.0) == last.owners()


def test_the_newest_claim_wins_and_a_name_decides_between_equals() -> None:
    claims = Claims().told(Snapshot("a", {"shop1": 50.0, "shop2": 5.0}), 100.0)
    claims = claims.told(Snapshot("b", {"shop1": 20.0, "shop2": 5.0}), 100.0)
    assert claims.owners() == {"shop1": "b", "shop2": "b"}


def test_a_claim_that_is_missing_from_a_newer_snapshot_is_gone() -> None:
    claims = Claims().told(Snapshot("a", {"shop1": 50.0}), 100.0).told(Snapshot("b", {"shop1": 1.0}), 100.0)
    assert claims.told(Snapshot("b", {}), 101.0).owners() == {"shop1": "a"}
    assert claims.told(Snapshot("b", {}), 101.0).told(Snapshot("a", {}), 101.0).owners() == {}


def test_latency_makes_no_claim_younger() -> None:
    claims = Claims().told(Snapshot("a", {"shop1": 10.0}), 100.0)
    again = claims.told(Snapshot("a", {"shop1": 20.0}), 110.4)
    assert again.by_owner == claims.by_owner
    renewed = claims.told(Snapshot("a", {"shop1": 0.0}), 110.0)
    assert renewed.by_owner["a"]["shop1"] == 110.0


def test_only_those_in_the_plan_have_a_say() -> None:
    claims = Claims().told(Snapshot("a", {"shop1": 5.0}), 9.0).told(Snapshot("b", {"shop1": 1.0}), 9.0)
    assert claims.only({"a"}).owners() == {"shop1": "a"}


def test_a_line_is_read_back_and_nonsense_is_refused() -> None:
    snapshot = snapshot_of("a", {"shop1": 90.0, "shop2": 101.0}, 100.0)
    assert snapshot.edges == {"shop1": 10.0, "shop2": 0.0}
    assert read(write(snapshot)) == snapshot
    for line in (b"", b"[]", b'{"owner":"a"}', b'{"owner":"a","edges":{"shop1":-1}}', b"\xff"):
        with pytest.raises(ValueError, match=r".+"):
            read(line)
