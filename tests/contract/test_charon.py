# SPDX-License-Identifier: Apache-2.0
"""One suite for the fake charons and for two real ones with ESP in user space."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from appliance.netcore.desired.connections import connections
from appliance.netcore.desired.credentials import credentials
from appliance.netcore.desired.strongswan import ipsec_of, strongswan_conf
from appliance.netcore.errors import DoorError
from appliance.netcore.plan.identity import Place
from appliance.netcore.plan.values import Role
from appliance.netcore.reconcile.charon_conf import CharonConfTable
from appliance.netcore.reconcile.connections import ConnectionTable, CredentialTable
from appliance.netcore.reconcile.table import Outcome, Phase, reconcile
from appliance.netcore.spec import Ipsec
from appliance.netcore.tunnel import PROBE, SITE, IkeSa
from tests.contract.charon_pair import EDGE_HOST, HUB, HUB_HOST, End, Pair, fake_pair, real_pair


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.lab)])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    make = real_pair if request.param == "real" else fake_pair
    with make(tmp_path) as made:
        yield made


async def load(end: End) -> Outcome:
    """Credentials and connections, as an agent that has just started puts them."""
    keys = credentials(end.plan, end.device.certificate.read_text(), end.device.key)
    await reconcile(CredentialTable(end.charon), keys)
    return await reconcile(ConnectionTable(end.charon), connections(end.plan, end.facts))


async def both_up(pair: Pair) -> IkeSa:
    await load(pair.hub)
    await load(pair.edge)
    await pair.edge.charon.initiate(HUB, PROBE, 5)
    await pair.edge.charon.initiate(HUB, SITE, 5)
    return (await pair.edge.charon.list_sas())[0]


async def test_it_says_how_it_does_esp(pair: Pair) -> None:
    stats = await pair.edge.charon.stats()
    assert ipsec_of(stats.plugins) is Ipsec.LIBIPSEC


async def test_a_second_pass_changes_nothing(pair: Pair) -> None:
    connection_table, credential_table = ConnectionTable(pair.edge.charon), CredentialTable(pair.edge.charon)
    wish = connections(pair.edge.plan, pair.edge.facts)
    keys = credentials(pair.edge.plan, pair.edge.device.certificate.read_text(), pair.edge.device.key)
    first = (await reconcile(credential_table, keys), await reconcile(connection_table, wish))
    second = (await reconcile(credential_table, keys), await reconcile(connection_table, wish))
    assert [outcome.changed for outcome in first] == [("ike",), (HUB,)]
    assert [outcome.changed for outcome in second] == [(), ()]
    assert all(s.phase is Phase.APPLIED for outcome in second for s in outcome.statuses.values())


async def test_both_children_come_up_on_one_ike_sa(pair: Pair) -> None:
    sa = await both_up(pair)
    assert sa.name == HUB
    assert sa.established
    assert str(sa.local) == "192.0.2.1"
    assert [len(sa.carrying(child)) for child in (PROBE, SITE)] == [1, 1]
    (hub_side,) = await pair.hub.charon.list_sas()
    assert hub_side.name == pair.edge.plan.identity.name
    assert [len(hub_side.carrying(child)) for child in (PROBE, SITE)] == [1, 1]


async def test_an_agents_restart_leaves_sas_alone(pair: Pair) -> None:
    before = await both_up(pair)
    await load(pair.edge)
    await load(pair.hub)
    (after,) = await pair.edge.charon.list_sas()
    assert [c.id for c in after.children] == [c.id for c in before.children]
    # The connection that was put again is the one that the IKE SA belongs to: charon sees the duplicate.
    with pytest.raises(DoorError, match="existing duplicate"):
        await pair.edge.charon.initiate(HUB, PROBE, 5)
    (again,) = await pair.edge.charon.list_sas()
    assert again.id == before.id


async def test_one_child_ends_and_the_other_stays(pair: Pair) -> None:
    sa = await both_up(pair)
    await pair.edge.charon.terminate_child(sa.carrying(SITE)[0].id)
    await pair.edge.charon.terminate_child("4711")
    await eventually_children(pair.edge, {PROBE})
    await eventually_children(pair.hub, {PROBE})


async def test_an_unloaded_peer_loses_its_tunnel(pair: Pair) -> None:
    await both_up(pair)
    outcome = await reconcile(ConnectionTable(pair.edge.charon), {})
    assert outcome.changed == (HUB,)
    assert await pair.edge.charon.list_connections() == {}
    await eventually_children(pair.edge, set())
    await pair.edge.charon.unload_connection(HUB)


async def test_names_tell_that_somebody_unloaded_a_connection(pair: Pair) -> None:
    await load(pair.edge)
    assert await pair.edge.charon.connection_names() == (await pair.edge.charon.list_connections()).keys()
    await pair.edge.charon.unload_connection(HUB)
    assert await pair.edge.charon.connection_names() == frozenset()


async def test_a_refusal_has_charons_reason(pair: Pair) -> None:
    await load(pair.edge)
    with pytest.raises(DoorError, match=r"'nosuch' not found"):
        await pair.edge.charon.initiate(HUB, "nosuch", 2)
    with pytest.raises(DoorError, match=r"AUTHENTICATION_FAILED|NO_PROPOSAL"):
        await pair.edge.charon.initiate(HUB, PROBE, 4)


async def test_two_connectors_keep_a_tunnel(pair: Pair) -> None:
    """The edge's end plays a second connector; its name sorts behind, so the hub's end dials."""
    place = Place(role=Role.CONNECTOR, site="cloud")
    name = pair.edge.plan.identity.name
    known = structs.replace(pair.hub.plan.peers[name], role=Role.CONNECTOR, addresses=(EDGE_HOST,))
    first = replace(pair.hub, plan=structs.replace(pair.hub.plan, peers={name: known}))
    second = replace(pair.edge, plan=structs.replace(pair.edge.plan, place=place))
    await load(second)
    await load(first)
    await first.charon.initiate(name, PROBE, 5)
    (sa,) = await second.charon.list_sas()
    assert (sa.name, [child.name for child in sa.children if child.carries]) == (HUB, [PROBE])


async def eventually_children(end: End, names: set[str]) -> None:
    for _ in range(200):
        found = {c.name for sa in await end.charon.list_sas() for c in sa.children if c.carries}
        if found == names:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"children are {found}, not {names}")


async def test_only_the_first_address_is_dialled_so_the_next_one_gets_its_turn(pair: Pair) -> None:
    """Of a hub with two addresses, the first of which is dead."""
    hub = structs.replace(pair.edge.plan.peers[HUB], addresses=("192.0.2.99", HUB_HOST))
    plan = structs.replace(pair.edge.plan, peers={**pair.edge.plan.peers, HUB: hub})
    edge = replace(pair.edge, plan=plan)
    await load(pair.hub)
    await load(edge)
    with pytest.raises(DoorError):
        await edge.charon.initiate(HUB, PROBE, 4)
    await load(replace(edge, facts=replace(edge.facts, turns={HUB: 1})))
    await edge.charon.initiate(HUB, PROBE, 4)
    (sa,) = [sa for sa in await edge.charon.list_sas() if sa.established]
    assert str(sa.remote) == HUB_HOST


async def test_retransmission_follows_the_plan_while_charon_runs(pair: Pair, tmp_path: Path) -> None:
    """A charon that started before its device had a plan is told once, and SAs stay as they are."""
    await both_up(pair)
    path = pair.edge.conf or tmp_path / "strongswan.conf"
    hasty = structs.replace(pair.edge.plan.tunnel, retransmit_tries=1, retransmit_timeout=0.3)
    wish = {path: strongswan_conf(hasty, Ipsec.LIBIPSEC)}
    table = CharonConfTable(pair.edge.charon, path)
    assert (await reconcile(table, wish)).changed == (str(path),)
    assert (await reconcile(table, wish)).changed == ()
    assert len(await pair.edge.charon.list_sas()) == 1
    pair.kill_hub()
    await pair.edge.charon.terminate_ike(HUB, force=True)
    asked = asyncio.get_running_loop().time()
    with pytest.raises(DoorError, match="giving up"):
        await pair.edge.charon.initiate(HUB, PROBE, 10)
    assert asyncio.get_running_loop().time() - asked < 3  # of 6 with what charon was started with
