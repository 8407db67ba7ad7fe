# SPDX-License-Identifier: Apache-2.0
"""Kernel settings and the memory of their former values: on a directory, and on a kernel's own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.kernel.sysctl import SysctlDoor
from appliance.netcore.reconcile.sysctls import SysctlTable
from appliance.netcore.reconcile.table import Phase, reconcile
from tests.contract.namespace import ip, own_namespace

FORWARD, ALL, LAN = "net/ipv4/ip_forward", "net/ipv4/conf/all/rp_filter", "net/ipv4/conf/lan0/rp_filter"
STARTING = {FORWARD: "0", ALL: "2", LAN: "1", "net/ipv6/conf/lan0/accept_ra": "1"}


@pytest.fixture(params=["fake", pytest.param("kernel", marks=pytest.mark.lab)])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SysctlDoor]:
    """A host with a link `lan0`, and its settings as in STARTING."""
    if request.param == "fake":
        root = tmp_path / "sys"
        for key in STARTING:
            (root / key).parent.mkdir(parents=True, exist_ok=True)
            (root / key).touch()
        yield prepared(SysctlDoor(root))
        return
    with own_namespace():
        ip("link add lan0 type veth peer name lan1")
        yield prepared(SysctlDoor())


def prepared(door: SysctlDoor) -> SysctlDoor:
    for key, value in STARTING.items():
        door.write(key, value)
    return door


def values(door: SysctlDoor) -> dict[str, str | None]:
    return {key: door.read(key) for key in STARTING}


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sysctl.json"


def test_what_is_not_there_reads_as_none_and_is_never_made(door: SysctlDoor) -> None:
    assert door.read("net/ipv4/conf/gone0/rp_filter") is None
    with pytest.raises(DoorError, match="can't set sysctl net/ipv4/conf/gone0/rp_filter to 0"):
        door.write("net/ipv4/conf/gone0/rp_filter", "0")


def test_links_that_take_router_advertisements(door: SysctlDoor) -> None:
    assert door.advertised(("lan0", "gone0")) == ("lan0",)
    door.write("net/ipv6/conf/lan0/accept_ra", "2")
    assert door.advertised(("lan0",)) == ("lan0",)
    door.write("net/ipv6/conf/lan0/accept_ra", "0")
    assert door.advertised(("lan0",)) == ()


async def test_settings_are_put_and_the_next_pass_finds_nothing_to_do(door: SysctlDoor, memory: Path) -> None:
    table = SysctlTable(door, memory)
    assert set((await reconcile(table, {FORWARD: "1", ALL: "0"})).changed) == {FORWARD, ALL}
    assert (door.read(FORWARD), door.read(ALL)) == ("1", "0")
    assert json.loads(memory.read_text()) == {FORWARD: "0", ALL: "2"}
    assert (await reconcile(table, {FORWARD: "1", ALL: "0"})).changed == ()


async def test_drift_is_repaired_and_the_memory_keeps_the_first_value(door: SysctlDoor, memory: Path) -> None:
    table = SysctlTable(door, memory)
    await reconcile(table, {ALL: "0"})
    door.write(ALL, "1")
    assert (await reconcile(table, {ALL: "0"})).changed == (ALL,)
    assert door.read(ALL) == "0"
    assert json.loads(memory.read_text()) == {ALL: "2"}


async def test_a_setting_no_longer_wanted_is_put_back(door: SysctlDoor, memory: Path) -> None:
    table = SysctlTable(door, memory)
    await reconcile(table, {FORWARD: "1", LAN: "0"})
    await reconcile(table, {FORWARD: "1"})
    assert values(door) == STARTING | {FORWARD: "1"}


async def test_a_missing_link_is_waited_for_and_an_unknown_setting_fails(
    door: SysctlDoor, memory: Path
) -> None:
    table = SysctlTable(door, memory)
    wanted = {"net/ipv4/conf/ipsec0/rp_filter": "0", "net/no_such_thing": "1", FORWARD: "1"}
    statuses = (await reconcile(table, wanted)).statuses
    assert statuses["net/ipv4/conf/ipsec0/rp_filter"].phase is Phase.WAITING
    assert statuses["net/ipv4/conf/ipsec0/rp_filter"].reason == "waiting for link ipsec0"
    assert statuses["net/no_such_thing"].phase is Phase.FAILED
    assert statuses[FORWARD].phase is Phase.APPLIED
    with pytest.raises(NotYetError):
        await table.put("net/ipv4/conf/ipsec0/rp_filter", "0")


async def test_purge_puts_all_back_once(door: SysctlDoor, memory: Path) -> None:
    await reconcile(SysctlTable(door, memory), {FORWARD: "1", ALL: "0", LAN: "1"})
    later = SysctlTable(door, memory)
    assert await later.purge() == [f"sysctl {ALL} restored", f"sysctl {FORWARD} restored"]
    assert values(door) == STARTING
    assert not memory.exists()
    assert await later.purge() == []


async def test_a_setting_whose_link_went_is_forgotten(memory: Path, tmp_path: Path) -> None:
    key = tmp_path / "sys" / LAN
    key.parent.mkdir(parents=True)
    key.write_text("1")
    table = SysctlTable(SysctlDoor(tmp_path / "sys"), memory)
    await reconcile(table, {LAN: "0"})
    key.unlink()
    await reconcile(table, {})
    assert json.loads(memory.read_text()) == {}
    assert await table.purge() == []


async def test_a_damaged_memory_stops_every_change(door: SysctlDoor, memory: Path) -> None:
    memory.parent.mkdir()
    memory.write_text('{"net/ipv4')
    outcome = await reconcile(SysctlTable(door, memory), {FORWARD: "1"})
    assert "is damaged" in outcome.statuses[FORWARD].reason
    assert values(door) == STARTING
