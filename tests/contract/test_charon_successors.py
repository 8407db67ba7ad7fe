# SPDX-License-Identifier: Apache-2.0
"""SAs that were agreed under another plan: what a changed connection must not leave up."""

import asyncio
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from msgspec import structs

from appliance.netcore.desired.connections import connections
from appliance.netcore.desired.credentials import credentials
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.reconcile.connections import ConnectionTable, CredentialTable
from appliance.netcore.reconcile.table import reconcile
from appliance.netcore.tunnel import PROBE, SITE
from tests.contract.charon_pair import HUB, End, Pair, fake_pair, real_pair


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.lab)])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    make = real_pair if request.param == "real" else fake_pair
    with make(tmp_path) as made:
        yield made


async def both_up(pair: Pair) -> tuple[ConnectionTable, ConnectionTable]:
    """Both children are up; the two ends' tables, as they stand in agents that go on running."""
    tables = []
    for end in (pair.hub, pair.edge):
        keys = credentials(end.plan, end.device.certificate.read_text(), end.device.key)
        await reconcile(CredentialTable(end.charon), keys)
        tables.append(ConnectionTable(end.charon))
        await reconcile(tables[-1], connections(end.plan, end.facts))
    for child in (PROBE, SITE):
        await pair.edge.charon.initiate(HUB, child, 5)
    return tables[0], tables[1]


def with_edge(plan: Plan, **changes: object) -> Plan:
    """The hub's plan with another idea of its one edge."""
    peers: dict[str, Peer] = {name: structs.replace(peer, **changes) for name, peer in plan.peers.items()}
    return structs.replace(plan, peers=peers)


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_device_enrolled_anew_ends_the_tunnel_of_the_one_before(pair: Pair, restarted: bool) -> None:
    """Its connection has the same name, and whoever stole the old key may still be up on it."""
    table, _ = await both_up(pair)
    plan = with_edge(pair.hub.plan, ike_id="0badcafe.shop1.lab")
    table = ConnectionTable(pair.hub.charon) if restarted else table
    await reconcile(table, connections(plan, pair.hub.facts))
    await eventually_children(pair.hub, set())


async def test_a_child_of_other_selectors_is_ended_and_the_rest_stays(pair: Pair) -> None:
    table, _ = await both_up(pair)
    (before,) = await pair.edge.charon.list_sas()
    plan = with_edge(pair.hub.plan, prefixes=(ip_network("10.200.77.0/24"),))
    await reconcile(table, connections(plan, pair.hub.facts))
    await eventually_children(pair.hub, {PROBE})
    (after,) = await pair.edge.charon.list_sas()
    assert after.id == before.id


async def test_what_an_interrupted_removal_left_is_ended(pair: Pair) -> None:
    """The agent ended after it had unloaded the connection and before it had ended the SAs."""
    await both_up(pair)
    await pair.edge.charon.unload_connection(HUB)
    outcome = await reconcile(ConnectionTable(pair.edge.charon), {})
    assert outcome.changed == (HUB,)
    await eventually_children(pair.edge, set())


async def test_a_removal_that_charon_did_not_finish_is_tried_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, table = await both_up(pair)
    with monkeypatch.context() as broken:
        broken.setattr(pair.edge.charon, "terminate_ike", _silent)
        assert [s.reason for s in (await reconcile(table, {})).statuses.values()] == ["no answer"]
    await reconcile(table, {})
    await eventually_children(pair.edge, set())


async def _silent(_connection: str, *, force: bool) -> None:
    raise DoorError("no answer")


async def eventually_children(end: End, names: set[str]) -> None:
    for _ in range(200):
        found = {c.name for sa in await end.charon.list_sas() for c in sa.children if c.carries}
        if found == names:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"children are {found}, not {names}")
