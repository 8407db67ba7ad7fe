# SPDX-License-Identifier: Apache-2.0
"""Two operators on one real API server: one killed, one asleep, and the server away."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from itertools import pairwise
from pathlib import Path

from appliance.netcore.plan.model import Plan
from tests.kube.cluster import until
from tests.kube.replicas import LONG, Fleet, fleet_on
from tests.kube.server import KubeServer
from tests.kube.things import COMMUNITIES, DEVICES, NODES, community, node

log = logging.getLogger(__name__)

SHOPS = [f"shop{number}" for number in range(16)]


async def devices(fleet: Fleet) -> None:
    """A connector and many edges, none of which has a prefix of the cluster's; all of them enrolled."""
    hub = {"node-role.kubernetes.io/connector": ""}
    fleet.kube.ask("POST", NODES, node("hub1", labels=hub))
    for name in SHOPS:
        fleet.kube.ask("POST", NODES, node(name))
    fleet.kube.ask("POST", COMMUNITIES, community("all", *SHOPS))
    words = ("--pattern", "*", "--uses", "100", "-o", "json")
    token = json.loads(await fleet.other.command("token", "create", *words))["token"]
    for name in ("hub1", *SHOPS):
        await fleet.join(token, name)
    await until(lambda: all(site.told for site in fleet.sites.values()), "each has a plan", 30)
    await fleet.settled()


def change_all(fleet: Fleet, port: int) -> None:
    """A change in the plan of every device."""
    ports = {"spec": {"ports": [{"protocol": "TCP", "port": port}]}}
    fleet.kube.ask("PATCH", f"{COMMUNITIES}/all", ports)


def has_port(plan: Plan, port: int) -> bool:
    return any(each.first == port for rule in plan.policy.values() for each in rule.allow)


def check_what_was_told(fleet: Fleet) -> None:
    """No number went down, no number stands for two plans, and no prefix was ever two devices'."""
    owners: dict[object, str] = {}
    for name, site in fleet.sites.items():
        for before, after in pairwise(site.told):
            assert before.generation < after.generation, name
        for plan in site.told:
            for given in (*plan.prefixes, *plan.overlay):
                other = owners.setdefault(given, name)
                assert other == name, (given, _told(fleet, name), _told(fleet, other))
    blocks = [block for block in owners if isinstance(block, IPv4Network | IPv6Network)]
    assert not list(_overlaps(blocks))


def _told(fleet: Fleet, name: str) -> list[str]:
    told = fleet.sites[name].told
    return [f"{name} {plan.generation} {plan.author}: {plan.prefixes} {plan.overlay}" for plan in told]


def _overlaps(blocks: Iterable[IPv4Network | IPv6Network]) -> Iterable[object]:
    for one, next_one in pairwise(sorted(blocks, key=lambda b: (b.version, int(b.network_address)))):
        if one.version == next_one.version and one.overlaps(next_one):
            yield one, next_one


async def test_the_leader_is_killed_in_the_middle_of_a_change_of_all(
    cluster: KubeServer, tmp_path: Path
) -> None:
    async with fleet_on(cluster, tmp_path) as fleet:
        await devices(fleet)
        check_what_was_told(fleet)
        leader, other = fleet.leader, fleet.other
        port = await _half_written(fleet)
        for number in range(3):  # and prefixes are wanted, too
            cluster.ask("POST", NODES, node(f"late{number}"))
        leader.running.kill()
        await until(lambda: other.said("event=leading "), "the other one leads", 25)
        await until(
            lambda: all(has_port(fleet.sites[name].told[-1], port) for name in SHOPS),
            "every device has the change",
            20,
        )
        await fleet.settled()
        given = {n: r.prefixes for page in fleet.pages().values() for n, r in page.devices.items()}
        assert {f"late{number}" for number in range(3)} <= given.keys()
        blocks = [prefix for prefixes in given.values() for prefix in prefixes]
        assert len(set(blocks)) == len(blocks)
        check_what_was_told(fleet)
        gaps = [gap for site in fleet.sites.values() for gap in site.gaps]
        log.info(
            "%d of %d channels moved, the longest gap was %.2f s", len(gaps), len(fleet.sites), max(gaps)
        )
        assert max(gaps) < 5
        assert all(site.lost is None for site in fleet.sites.values())

        leader.proxy.refuse(False)
        leader.start()  # it comes back as a follower, and devices live by it alone
        await until(lambda: leader.said("event=serving "), "it serves again", 20)
        fleet.serve_by(leader)
        change_all(fleet, port + 1)
        await until(
            lambda: all(has_port(fleet.sites[name].told[-1], port + 1) for name in SHOPS),
            "the follower tells every device",
            20,
        )
        assert not leader.said("event=leading ")
        late = json.loads(await leader.command("token", "create", "--name", "late0", "-o", "json"))
        site = await fleet.join(late["token"], "late0")
        await until(lambda: site.told, "who enrols at the follower has a plan", 10)
        check_what_was_told(fleet)
        await until(lambda: _lag(cluster) == {0}, "the statuses say so", 15)


def _lag(cluster: KubeServer) -> set[int]:
    items = cluster.ask("GET", DEVICES)["items"]
    return {each["status"]["generation"]["lag"] for each in items if each.get("status")}


async def _half_written(fleet: Fleet) -> int:
    """A change of which the leader wrote some pages of plans, and can't write the others; its port."""
    budget = 4_000
    for port in range(1000, 1020):
        before = {name: page.serial for name, page in fleet.pages().items() if page.plans}
        fleet.leader.proxy.cut_after(budget)
        change_all(fleet, port)
        await until(lambda: _written(fleet, before), "the leader begins", 10)  # noqa: B023
        fleet.leader.proxy.refuse(True)
        fleet.leader.proxy.cut()
        if 0 < len(_written(fleet, before)) < len(before):
            log.info("%d of %d pages were written", len(_written(fleet, before)), len(before))
            return port
        fleet.leader.proxy.refuse(False)
        await fleet.settled()
    raise AssertionError("the leader was always too fast")


def _written(fleet: Fleet, before: dict[str, int]) -> list[str]:
    pages = fleet.pages()
    return [name for name, serial in before.items() if pages[name].serial > serial]


@LONG
async def test_a_leader_that_slept_changes_nothing(cluster: KubeServer, tmp_path: Path) -> None:
    async with fleet_on(cluster, tmp_path) as fleet:
        await devices(fleet)
        leader, other = fleet.leader, fleet.other
        fleet.serve_by(other)
        change_all(fleet, 2000)
        os.kill(leader.running.pid, signal.SIGSTOP)  # perhaps with this change in its hands
        await until(lambda: other.said("event=leading "), "the other one leads", 25)
        change_all(fleet, 2001)
        cluster.ask("POST", NODES, node("late0"))
        await until(lambda: all(has_port(fleet.sites[n].told[-1], 2001) for n in SHOPS), "all have it", 20)
        await fleet.settled()
        before = fleet.pages()
        os.kill(leader.running.pid, signal.SIGCONT)
        await until(lambda: leader.said("event=leading-no-more"), "it knows that it leads no more", 10)
        assert {name: page.plans for name, page in fleet.pages().items()} == {
            name: page.plans for name, page in before.items()
        }
        fleet.serve_by(leader)
        change_all(fleet, 2002)
        await until(lambda: all(has_port(fleet.sites[n].told[-1], 2002) for n in SHOPS), "all have it", 20)
        await fleet.settled()
        check_what_was_told(fleet)


@LONG
async def test_while_the_api_server_is_away(cluster: KubeServer, tmp_path: Path) -> None:
    async with fleet_on(cluster, tmp_path) as fleet:
        await devices(fleet)
        leader, other = fleet.leader, fleet.other
        cluster.stop()
        try:
            other.running.kill()
            other.start()
            await until(lambda: other.said("event=serving "), "a replica starts without the server", 20)
            assert other.said("event=keys-from-disk")
            fleet.serve_by(other)
            await until(
                lambda: all(site.lost is None and site.gaps for site in fleet.sites.values()),
                "each device has its channel there",
                20,
            )
        finally:
            cluster.start()
            await asyncio.to_thread(cluster.wait)
        change_all(fleet, 3000)
        await until(lambda: all(has_port(fleet.sites[n].told[-1], 3000) for n in SHOPS), "all have it", 40)
        await fleet.settled()
        check_what_was_told(fleet)
        assert leader.running.alive
