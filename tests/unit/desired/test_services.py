# SPDX-License-Identifier: Apache-2.0
"""Who answers for a service: the nearest tier with somebody alive."""

from ipaddress import ip_address

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.services import (
    backends_at,
    choose,
    far_homes,
    local_backends,
    service_maps,
    slot_chains,
)
from appliance.netcore.plan.model import Backend, Plan, Service, ServicePort
from appliance.netcore.plan.values import Address, OnDown, Protocol, Tier
from tests.unit.plan.plans import edge_plan

ADDRESSES = [ip_address(f"10.200.{n}.5") for n in range(6)] + [ip_address(f"fd00::{n}") for n in range(6)]
ORDER = list(Tier)

backends = st.builds(
    Backend,
    address=st.sampled_from(ADDRESSES),
    port=st.sampled_from([80, 8080]),
    tier=st.sampled_from(Tier),
)
ports = st.dictionaries(st.text(max_size=3), backends, max_size=12).map(
    lambda found: ServicePort(protocol=Protocol.TCP, port=80, backends=found)
)
graves = st.frozensets(st.tuples(st.sampled_from(ADDRESSES), st.sampled_from([80, 8080])))


def alive(port: ServicePort, version: int, dead: frozenset[tuple[Address, int]]) -> list[Backend]:
    return [
        backend
        for backend in port.backends.values()
        if backend.address.version == version and (backend.address, backend.port) not in dead
    ]


@given(ports, graves, st.booleans(), st.sampled_from([4, 6]))
def test_never_a_dead_one_and_never_nobody_while_one_lives(
    port: ServicePort, dead: frozenset[tuple[Address, int]], strict: bool, version: int
) -> None:
    chosen = choose(port, strict=strict, version=version, dead=dead)
    living = alive(port, version, dead)
    near = [one for one in living if not strict or one.tier in (Tier.NODE, Tier.SITE)]
    assert bool(chosen) is bool(near)
    assert all(one in living for one in chosen)


@given(ports, graves, st.booleans(), st.sampled_from([4, 6]))
def test_all_of_one_tier_and_none_is_nearer(
    port: ServicePort, dead: frozenset[tuple[Address, int]], strict: bool, version: int
) -> None:
    chosen = choose(port, strict=strict, version=version, dead=dead)
    assert len({one.tier for one in chosen}) <= 1
    # One backend under two keys counts once.
    assert len({(one.address, one.port) for one in chosen}) == len(chosen)
    if chosen:
        tier = ORDER.index(chosen[0].tier)
        assert not any(ORDER.index(one.tier) < tier for one in alive(port, version, dead))


@given(ports, graves, st.sampled_from([4, 6]))
def test_the_order_does_not_depend_on_the_document(
    port: ServicePort, dead: frozenset[tuple[Address, int]], version: int
) -> None:
    backwards = msgspec.structs.replace(port, backends=dict(reversed(port.backends.items())))
    there = choose(port, strict=False, version=version, dead=dead)
    back = choose(backwards, strict=False, version=version, dead=dead)
    assert [(one.address, one.port) for one in there] == [(one.address, one.port) for one in back]


def plan_of(*found: Backend, **service: object) -> Plan:
    port = ServicePort(protocol=Protocol.TCP, port=80, backends={str(n): one for n, one in enumerate(found)})
    made = Service(addresses=(ip_address("10.96.0.10"), ip_address("fd00:96::10")), ports={"http": port})
    return msgspec.structs.replace(
        edge_plan(), services={"default/web": msgspec.structs.replace(made, **service)}
    )


def backend(address: str, tier: Tier) -> Backend:
    return Backend(address=ip_address(address), port=8080, tier=tier)


def test_slots_are_numbered_by_address() -> None:
    plan = plan_of(backend("10.200.1.20", Tier.NODE), backend("10.200.1.5", Tier.NODE))
    maps = service_maps(plan, Facts(), 4)
    assert maps.services == {"tcp . 10.96.0.10 . 80": "goto any_of_2_v4"}
    assert maps.backends == {
        "tcp . 10.96.0.10 . 80 . 0": "10.200.1.5 . 8080",
        "tcp . 10.96.0.10 . 80 . 1": "10.200.1.20 . 8080",
    }


def test_families_choose_for_themselves() -> None:
    plan = plan_of(backend("10.200.1.5", Tier.NODE), backend("fd00:200:0:21::5", Tier.CLOUD))
    assert service_maps(plan, Facts(), 6).backends == {
        "tcp . fd00:96::10 . 80 . 0": "fd00:200:0:21::5 . 8080"
    }


def test_clients_that_shall_stay_are_sent_by_their_address() -> None:
    plan = plan_of(backend("10.200.1.5", Tier.NODE), client_affinity=True)
    assert service_maps(plan, Facts(), 4).services == {"tcp . 10.96.0.10 . 80": "goto client_of_1_v4"}


def test_nobody_left_is_no_element() -> None:
    plan = plan_of(backend("10.200.1.5", Tier.NODE), backend("10.200.21.5", Tier.CLOUD), strict=True)
    maps = service_maps(plan, Facts(dead=frozenset({(ip_address("10.200.1.5"), 8080)})), 4)
    assert (maps.services, maps.backends) == ({}, {})


def test_a_backend_that_comes_or_goes_needs_no_new_chain() -> None:
    few = service_maps(plan_of(backend("10.200.1.5", Tier.NODE)), Facts(), 4)
    more = service_maps(plan_of(*(backend(f"10.200.1.{n}", Tier.NODE) for n in range(1, 9))), Facts(), 4)
    many = service_maps(plan_of(*(backend(f"10.200.1.{n}", Tier.NODE) for n in range(1, 31))), Facts(), 4)
    assert few.slots == more.slots == frozenset(range(1, 9))
    assert many.slots == more.slots | {30}


def test_every_chain_that_is_named_is_there() -> None:
    for affinity in (False, True):
        found = (backend(f"10.200.1.{n}", Tier.NODE) for n in range(1, 13))
        maps = service_maps(plan_of(*found, client_affinity=affinity), Facts(), 4)
        text = "\n".join(slot_chains(maps.slots, 4))
        assert all(
            f"chain {verdict.removeprefix('goto ')} {{" in text
            for verdict in maps.services.values()
            if verdict
        )


def test_only_tcp_backends_of_our_own_are_probed() -> None:
    plan = plan_of(backend("10.200.1.5", Tier.NODE), backend("10.200.21.5", Tier.CLOUD))
    assert local_backends(plan) == {(ip_address("10.200.1.5"), 8080)}
    web = plan.services["default/web"]
    udp = {"dns": msgspec.structs.replace(web.ports["http"], protocol=Protocol.UDP)}
    other = msgspec.structs.replace(plan, services={"default/dns": msgspec.structs.replace(web, ports=udp)})
    assert local_backends(other) == frozenset()


def test_homes_to_spill_from() -> None:
    """Only peers that answer for a service, and whose community says so."""
    plan = edge_plan()
    web = plan.services["default/web"].ports["http"]
    backend = Backend(address=ip_address("10.200.2.5"), port=8080, tier=Tier.COMMUNITY, node="shop2")
    port = msgspec.structs.replace(web, backends=web.backends | {"there": backend})
    service = msgspec.structs.replace(plan.services["default/web"], ports={"http": port})
    plan = msgspec.structs.replace(plan, services={"default/web": service})
    assert far_homes(plan) == {}
    spilling = msgspec.structs.replace(plan.peers["shop2"], on_down=OnDown.SPILL)
    plan = msgspec.structs.replace(plan, peers=plan.peers | {"shop2": spilling})
    assert far_homes(plan) == {"shop2": spilling}
    silent = backends_at(plan, {"shop2"})
    assert silent == {(ip_address("10.200.2.5"), 8080)}
    gone = silent | backends_at(plan, {"shop1"})
    assert [one.node for one in choose(port, strict=False, version=4, dead=gone)] == ["worker-1"]
