# SPDX-License-Identifier: Apache-2.0
"""Which hub carries the site, and what is asked of charon for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

import pytest
from msgspec import structs

from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.steering import (
    OVERLAP,
    SETTLE,
    Action,
    Choice,
    Initiate,
    Steering,
    TerminateChild,
    TerminateIke,
    carried_edges,
    carrying_hub,
    probed_edges,
    steer,
)
from appliance.netcore.plan.identity import Identity, Place
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Role
from appliance.netcore.spec import Ipsec
from appliance.netcore.tunnel import ChildSa, Health, IkeSa, Reach
from tests.unit.plan.plans import edge_plan

ONE, TWO = "connector-1", "connector-2"
HOME = ip_address("192.168.1.10")
FACTS = Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec0", sources={ONE: HOME, TWO: HOME})
ALIVE = Reach(Health.ALIVE, since=0.0)
DEAD = Reach(Health.DEAD, since=0.0)
UNDECIDED = Choice()


@dataclass
class Site:
    """shop1 as steering sees it; `now` is well past any settling."""

    plan: Plan = field(default_factory=edge_plan)
    facts: Facts = FACTS
    reach: dict[str, Reach] = field(default_factory=lambda: {ONE: ALIVE, TWO: ALIVE})
    before: Choice = UNDECIDED
    now: float = 1000.0

    def step(self, *sas: IkeSa) -> Steering:
        result = steer(self.plan, self.facts, sas, self.reach, self.before, self.now)
        self.before = result.choice
        return result

    def after(self, *sas: IkeSa) -> tuple[Action, ...]:
        return self.step(*sas).actions


def tunnel(name: str, children: str = "probe", *, age: int = 100, number: int = 0, state: str = "") -> IkeSa:
    """An IKE SA of which all numbers begin with the same digit; `children` may give each an age: site@5."""
    first = (number or int(name[-1])) * 100
    listed = []
    for position, spec in enumerate(children.split(), start=1):
        child, _, its_age = spec.partition("@")
        listed.append(ChildSa(child, str(first + position), "INSTALLED", int(its_age or age)))
    return IkeSa(name, str(first), state or "ESTABLISHED", HOME, None, age, tuple(listed))


def order_of(plan: Plan, *hubs: str) -> Plan:
    peers = {
        name: structs.replace(peer, priority=hubs.index(name)) if name in hubs else peer
        for name, peer in plan.peers.items()
    }
    return structs.replace(plan, peers=peers)


def test_at_first_a_probe_child_is_wanted_at_every_hub() -> None:
    assert set(Site(reach={}).after()) == {Initiate(ONE, "probe"), Initiate(TWO, "probe")}


def test_without_a_route_nothing_is_tried() -> None:
    steering = Site(facts=Facts(ipsec=Ipsec.LIBIPSEC), reach={}).step()
    assert steering.actions == ()
    assert steering.reasons == {
        ONE: "there is no route to its addresses",
        TWO: "there is no route to its addresses",
    }


def test_the_site_goes_to_the_best_hub_at_once_even_before_it_answers() -> None:
    assert Initiate(ONE, "site") in Site(reach={}).after(tunnel(ONE), IkeSa(TWO, "9", "CONNECTING"))


def test_a_worse_hub_waits_a_little_for_the_better_one() -> None:
    site = Site(reach={})
    first = site.step(tunnel(TWO))
    assert Initiate(TWO, "site") not in first.actions
    assert first.look_again == site.now + SETTLE
    site.now += SETTLE
    assert Initiate(TWO, "site") in site.after(tunnel(TWO))


def test_nothing_to_do_is_nothing_done() -> None:
    steering = Site().step(tunnel(ONE, "probe site"), tunnel(TWO))
    assert (steering.actions, steering.choice.hub, steering.reasons) == ((), ONE, {})


def test_after_a_restart_the_site_child_that_is_there_is_kept() -> None:
    site = Site(reach={})
    assert site.after(tunnel(ONE), tunnel(TWO, "probe site")) == ()
    assert site.before.hub == TWO


def test_a_dead_hub_loses_the_site_at_once_and_its_tunnel_is_made_anew() -> None:
    site = Site(before=Choice(ONE, (ONE, TWO)), reach={ONE: DEAD, TWO: ALIVE})
    actions = site.after(tunnel(ONE, "probe site"), tunnel(TWO))
    assert actions == (Initiate(TWO, "site"), TerminateIke(ONE, "100"))
    # Then the new child carries, and what is left of the dead tunnel ends.
    moved = site.after(tunnel(ONE, "probe site"), tunnel(TWO, "probe site@0"))
    assert moved == (TerminateIke(ONE, "100"),)


def test_a_single_dead_hub_is_dialled_again_and_gets_the_site_back() -> None:
    plan = edge_plan()
    peers = {name: peer for name, peer in plan.peers.items() if name != TWO}
    site = Site(plan=structs.replace(plan, peers=peers), before=Choice(ONE, (ONE,)), reach={ONE: DEAD})
    assert site.after(tunnel(ONE, "probe site")) == (TerminateIke(ONE, "100"),)
    site.reach = {}
    assert site.after() == (Initiate(ONE, "probe"),)
    assert site.after(tunnel(ONE, age=0)) == (Initiate(ONE, "site"),)


def test_a_better_hub_gets_the_site_back_only_after_a_while() -> None:
    site = Site(before=Choice(TWO, (ONE, TWO)), reach={ONE: Reach(Health.ALIVE, 990.0), TWO: ALIVE})
    sas = (tunnel(ONE, age=10), tunnel(TWO, "probe site"))
    early = site.step(*sas)
    assert (early.actions, early.look_again) == ((), 1020.0)
    site.now = 1020.0
    assert site.after(*sas) == (Initiate(ONE, "site"),)
    # The old child stays until all who send to this edge know of the new one.
    both = site.step(tunnel(ONE, "probe site@0"), tunnel(TWO, "probe site"))
    assert (both.actions, both.look_again) == ((), 1020.0 + OVERLAP)
    site.now = 1020.0 + OVERLAP
    later = (tunnel(ONE, f"probe site@{OVERLAP}"), tunnel(TWO, "probe site"))
    assert site.after(*later) == (TerminateChild(TWO, "202"),)


def test_a_new_order_in_the_plan_moves_the_site_at_once() -> None:
    site = Site(before=Choice(ONE, (ONE, TWO)), reach={ONE: ALIVE, TWO: Reach(Health.ALIVE, 999.0)})
    sas = (tunnel(ONE, "probe site"), tunnel(TWO, age=1))
    site.plan = order_of(site.plan, TWO, ONE)
    assert site.after(*sas) == (Initiate(TWO, "site"),)
    # The choice holds while the new child is on its way.
    assert site.after(*sas) == (Initiate(TWO, "site"),)


def test_a_hub_that_leaves_the_plan_is_not_chosen() -> None:
    site = Site(before=Choice(ONE, (ONE, TWO)))
    peers = {name: peer for name, peer in site.plan.peers.items() if name != ONE}
    site.plan = structs.replace(site.plan, peers=peers)
    assert site.after(tunnel(ONE, "probe site"), tunnel(TWO)) == (Initiate(TWO, "site"),)


def test_of_duplicates_the_newest_stays() -> None:
    actions = Site().after(tunnel(ONE, "probe@50 probe@9 site@50 site@2"), tunnel(TWO))
    assert set(actions) == {TerminateChild(ONE, "101"), TerminateChild(ONE, "103")}


def test_a_second_ike_sa_goes_the_newest_stays() -> None:
    older, newer = tunnel(TWO, age=100, number=8), tunnel(TWO, age=3, number=9)
    assert TerminateIke(TWO, "800") in Site().after(tunnel(ONE, "probe site"), older, newer)


def test_a_child_that_is_being_replaced_counts_for_neither() -> None:
    sa = tunnel(ONE, "probe site")
    rekeyed = replace(sa, children=(*sa.children, ChildSa("site", "103", "REKEYED", 1)))
    assert Site().after(rekeyed, tunnel(TWO)) == ()


def test_another_source_address_makes_the_tunnel_anew() -> None:
    elsewhere = replace(FACTS, sources={ONE: ip_address("10.0.0.7"), TWO: HOME})
    actions = Site(facts=elsewhere).after(tunnel(ONE, "probe site"), tunnel(TWO))
    assert actions == (TerminateIke(ONE, "100"),)
    stuck = tunnel(ONE, "", state="CONNECTING")
    assert TerminateIke(ONE, "100") in Site(facts=elsewhere).after(stuck, tunnel(TWO))


def test_an_older_site_child_at_the_chosen_hub_is_made_anew() -> None:
    site = Site(before=Choice(ONE, (ONE, TWO)))
    both = (tunnel(ONE, "probe site@90"), tunnel(TWO, "probe site@1"))
    assert site.after(*both) == (TerminateChild(ONE, "102"),)
    assert site.after(tunnel(ONE), both[1]) == (Initiate(ONE, "site"),)


@pytest.mark.parametrize(
    ("sas", "reach", "reason"),
    [
        ((), {}, "no IKE SA"),
        ((IkeSa(ONE, "1", "CONNECTING"),), {}, "the peer has not answered IKE yet"),
        ((tunnel(ONE, ""),), {}, "the probe child is not installed"),
        ((tunnel(ONE),), {ONE: DEAD}, "the SAs are up, and no probe through them is answered"),
    ],
)
def test_it_says_why_a_hub_is_not_up(sas: tuple[IkeSa, ...], reach: Mapping[str, Reach], reason: str) -> None:
    assert Site(reach=dict(reach)).step(*sas).reasons[ONE] == reason


def connector_plan() -> Plan:
    plan = edge_plan()
    own = plan.peers[ONE]
    peers = {name: structs.replace(p, priority=None) for name, p in plan.peers.items() if name != ONE}
    return structs.replace(
        plan,
        identity=Identity(cluster="lab", name=ONE, instance="00000011"),
        place=Place(role=Role.CONNECTOR, site="cloud"),
        overlay=own.overlay,
        prefixes=own.prefixes,
        peers=peers,
    )


def test_the_first_of_two_connectors_dials_and_keeps_one_child() -> None:
    site = Site(plan=connector_plan(), facts=Facts(ipsec=Ipsec.LIBIPSEC), reach={TWO: ALIVE})
    assert site.after() == (Initiate(TWO, "probe"),)
    assert site.after(tunnel(TWO)) == ()
    site.reach = {TWO: DEAD}
    assert site.after(tunnel(TWO)) == (TerminateIke(TWO, "200"),)


def test_the_second_connector_and_the_edges_side_wait() -> None:
    plan = structs.replace(connector_plan(), identity=Identity(cluster="lab", name="z", instance="00000011"))
    assert Site(plan=plan, reach={}).after(tunnel(TWO, ""), tunnel("shop2", "probe")) == ()


def test_who_carries_what() -> None:
    plan = edge_plan()
    assert carrying_hub(plan, ()) is None
    assert carrying_hub(plan, (tunnel(ONE, "probe site@50"), tunnel(TWO, "probe site@2"))) == TWO
    assert carrying_hub(connector_plan(), (tunnel(TWO, "site"),)) is None
    carried = carried_edges(connector_plan(), (tunnel("shop2", "probe site@7 site@3"), tunnel(TWO)))
    assert {edge: child.id for edge, child in carried.items()} == {"shop2": "203"}


def test_a_connector_knows_which_edges_probe_it() -> None:
    """Whoever carries their traffic; and not those whose IKE SA is on its way or gone."""
    sas = (tunnel("shop2", "probe"), tunnel(TWO, "probe"), tunnel("stranger9", "probe"))
    assert probed_edges(connector_plan(), sas) == {"shop2"}
    assert probed_edges(connector_plan(), (tunnel("shop2", "site"),)) == frozenset()
    assert probed_edges(connector_plan(), (tunnel("shop2", "probe", state="DELETING"),)) == frozenset()
    assert probed_edges(edge_plan(), sas) == frozenset()
