# SPDX-License-Identifier: Apache-2.0
"""What is promised of the firewall's table: on the fake, and on nftables in the test's own namespace."""

import re
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Protocol

import msgspec
import pytest

from appliance.netcore.desired.facts import Facts, Ipsec
from appliance.netcore.desired.firewall import firewall
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.nft import NftTable
from appliance.netcore.kernel.nft_generation import generation
from appliance.netcore.plan.identity import Place
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Role
from appliance.netcore.reconcile.firewall import FIREWALL, FirewallTable, Nft, purge
from appliance.netcore.reconcile.table import Phase, reconcile
from appliance.netcore.ruleset import Delta, difference
from tests.contract.namespace import own_namespace
from tests.fakes.nft import FakeNft
from tests.unit.plan.plans import edge_plan

UP = Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec0")
HERE = "tcp . 10.96.0.10 . 80 . 0"


class Host(Protocol):
    """A host with a table of somebody else's."""

    nft: Nft

    def loads(self) -> object: ...

    def add_rule(self) -> None: ...

    def remove_element(self, name: str, key: str) -> None: ...

    def foreign(self) -> str: ...


class FakeHost:
    def __init__(self) -> None:
        self._fake = FakeNft()
        self.nft: Nft = self._fake

    def loads(self) -> object:
        return self._fake.loads

    def add_rule(self) -> None:
        self._fake.tamper_with_rules()

    def remove_element(self, name: str, key: str) -> None:
        self._fake.tamper_with_elements(name, key)

    def foreign(self) -> str:
        return ""


class RealHost:
    """In the namespace of the calling thread; `late`: rules are sealed when they are next looked at."""

    def __init__(self, *, late: bool) -> None:
        self.nft: Nft = NftTable(generation=generation if late else None)
        nft("add table inet theirs { chain c { type filter hook forward priority 0; tcp dport 1 drop; }; }")
        # A table of our name in another family is not ours either.
        nft("add table ip orillo { set s { type mark; elements = { 1 }; }; }")

    def loads(self) -> object:
        """The table's handle: another one after each load."""
        return re.findall(r"^table inet orillo .* handle (\d+)$", nft("-a list ruleset"), re.MULTILINE)

    def add_rule(self) -> None:
        nft("insert rule inet orillo forward accept")

    def remove_element(self, name: str, key: str) -> None:
        nft(f"delete element inet orillo {name} {{ {key} }}")

    def foreign(self) -> str:
        return nft("-a list table inet theirs") + nft("-a list table ip orillo")


def nft(command: str) -> str:
    """Run nft in the namespace of the calling thread; its output."""
    return subprocess.run(["nft", *command.split(" ")], check=True, capture_output=True, text=True).stdout


@pytest.fixture(params=["fake", *(pytest.param(name, marks=pytest.mark.lab) for name in ("real", "late"))])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    if request.param == "fake":
        yield FakeHost()
        return
    with own_namespace():
        yield RealHost(late=request.param == "late")


def plan_of(role: Role) -> Plan:
    return msgspec.structs.replace(edge_plan(), place=Place(role=role, site="here"))


@pytest.mark.parametrize("role", Role)
async def test_what_is_put_is_read_back(host: Host, role: Role) -> None:
    wanted = firewall(plan_of(role), UP)
    assert not await host.nft.exists()
    assert await host.nft.digest() is None
    await host.nft.replace(wanted)
    assert await host.nft.exists()
    assert await host.nft.digest() == wanted.digest
    assert await host.nft.elements() == wanted.elements


async def test_many_elements_and_both_families_are_read_back(host: Host) -> None:
    """More than fit on one line of nft's listing, and values with colons."""
    plan = edge_plan()
    web = plan.services["default/web"]
    four = [ip_address(f"10.96.1.{n}") for n in range(200)]
    six = [ip_address(f"fd00:96::{n:x}") for n in range(200)]
    here = web.ports["http"].backends["here"]
    backends = {"4": here, "6": msgspec.structs.replace(here, address=ip_address("fd00:200:0:1::5"))}
    ports = {"http": msgspec.structs.replace(web.ports["http"], backends=backends)}
    services = {"default/web": msgspec.structs.replace(web, addresses=(*four, *six), ports=ports)}
    wanted = firewall(msgspec.structs.replace(plan, services=services), UP)
    await host.nft.replace(wanted)
    found = await host.nft.elements()
    assert len(found["backends4"]) == len(found["backends6"]) == 200
    assert found == wanted.elements


async def test_a_change_of_elements_is_all_or_nothing(host: Host) -> None:
    wanted = firewall(edge_plan(), UP)
    await host.nft.replace(wanted)
    before = host.loads()
    await host.nft.change(Delta({"tunnels": {'"ipsec0"': None}}, {"tunnels": {'"ipsec1"': None}}))
    assert (await host.nft.elements())["tunnels"] == {'"ipsec1"': None}
    with pytest.raises(DoorError, match="refused"):
        await host.nft.change(Delta({"tunnels": {'"ipsec0"': None}}, {"tunnels": {'"ipsec2"': None}}))
    assert (await host.nft.elements())["tunnels"] == {'"ipsec1"': None}
    assert await host.nft.digest() == wanted.digest
    assert host.loads() == before


async def test_prefixes_may_merge_and_part_in_one_change(host: Host) -> None:
    """What overlaps with a removed one may be added: removals go first."""
    await host.nft.replace(firewall(edge_plan(), UP))
    split = {"own4": {"10.200.0.0/25": None, "10.200.0.128/25": None}}
    whole = {"own4": {"10.200.0.0/24": None}}
    start = {"own4": (await host.nft.elements())["own4"]}
    for old, new in ((start, split), (split, whole), (whole, split)):
        await host.nft.change(difference(old, new))
        assert (await host.nft.elements())["own4"] == new["own4"]


async def test_nonsense_is_refused_whole(host: Host) -> None:
    wanted = firewall(edge_plan(), UP)
    await host.nft.replace(wanted)
    for delta in (
        Delta({}, {"nosuch": {"1": None}}),
        Delta({}, {"services4": {"tcp . 10.96.0.77 . 80": "goto nowhere"}}),
        Delta({}, {"backends4": {HERE: "10.200.1.6 . 8080"}}),
        Delta({}, {"backends4": {HERE: None}}),
    ):
        with pytest.raises(DoorError):
            await host.nft.change(delta)
    assert await host.nft.elements() == wanted.elements


async def test_a_dead_backend_is_a_change_of_elements(host: Host) -> None:
    table = FirewallTable(host.nft)
    await reconcile(table, {FIREWALL: firewall(edge_plan(), UP)})
    before = host.loads()
    dead = Facts(ipsec=UP.ipsec, tun=UP.tun, dead=frozenset({(ip_address("10.200.1.5"), 8080)}))
    outcome = await reconcile(table, {FIREWALL: firewall(edge_plan(), dead)})
    assert outcome.changed == (FIREWALL,)
    assert (await host.nft.elements())["backends4"] == {HERE: "10.200.21.5 . 8080"}
    assert host.loads() == before


async def test_a_restarted_agent_changes_nothing(host: Host) -> None:
    wanted = firewall(edge_plan(), UP)
    await reconcile(FirewallTable(host.nft), {FIREWALL: wanted})
    before = host.loads()
    outcome = await reconcile(FirewallTable(host.nft), {FIREWALL: wanted})
    assert outcome.changed == ()
    assert outcome.statuses[FIREWALL].phase is Phase.APPLIED
    assert host.loads() == before


async def test_changed_rules_are_noticed_and_put_right(host: Host) -> None:
    wanted = firewall(edge_plan(), UP)
    table = FirewallTable(host.nft)
    await reconcile(table, {FIREWALL: wanted})
    host.add_rule()
    assert await host.nft.digest() is None
    # A fresh agent sees it too, with nothing to remember.
    outcome = await reconcile(FirewallTable(host.nft), {FIREWALL: wanted})
    assert outcome.changed == (FIREWALL,)
    assert await host.nft.digest() == wanted.digest


async def test_changed_elements_are_noticed_after_a_while(host: Host) -> None:
    now = 0.0
    wanted = firewall(edge_plan(), UP)
    table = FirewallTable(host.nft, clock=lambda: now, read_back_after=300)
    await reconcile(table, {FIREWALL: wanted})
    host.remove_element("backends4", HERE)
    now = 300.0
    assert (await reconcile(table, {FIREWALL: wanted})).changed == (FIREWALL,)
    assert await host.nft.elements() == wanted.elements


async def test_a_refused_change_is_followed_by_the_truth(host: Host) -> None:
    """The element to remove is gone already: the first pass fails and says so, the second one succeeds."""
    table = FirewallTable(host.nft)
    for _ in range(2):
        # The second look seals the rules, so that what follows is a change of elements alone.
        await reconcile(table, {FIREWALL: firewall(edge_plan(), UP)})
    host.remove_element("tunnels", '"ipsec0"')
    moved = firewall(edge_plan(), Facts(ipsec=Ipsec.LIBIPSEC, tun="ipsec1"))
    assert (await reconcile(table, {FIREWALL: moved})).statuses[FIREWALL].phase is Phase.FAILED
    assert (await reconcile(table, {FIREWALL: moved})).statuses[FIREWALL].phase is Phase.APPLIED
    assert await host.nft.elements() == moved.elements


async def test_purge_takes_ours_and_leaves_theirs(host: Host) -> None:
    theirs = host.foreign()
    await reconcile(FirewallTable(host.nft), {FIREWALL: firewall(edge_plan(), UP)})
    assert host.foreign() == theirs
    assert await purge(host.nft) == ["nft table inet orillo"]
    assert not await host.nft.exists()
    assert await purge(host.nft) == []
    assert host.foreign() == theirs
