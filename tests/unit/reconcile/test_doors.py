# SPDX-License-Identifier: Apache-2.0
"""One look at the box: what can't be seen of it takes nothing away from the rest."""

from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any, cast

from msgspec import structs

from appliance.netcore.charon.listing import CharonStats
from appliance.netcore.desired.facts import Facts
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.sysctl import SysctlDoor
from appliance.netcore.reconcile.doors import Doors, look
from appliance.netcore.spec import Capability, Ipsec
from appliance.paths import Paths
from tests.contract.charon_pair import HUB
from tests.fakes.charon import FakeCharon, Wire
from tests.fakes.netlink import FakeNetlink
from tests.unit.plan.plans import edge_plan

HOME = "192.168.1.10/24"


class HungCharon(FakeCharon):
    """It takes connections and answers nothing."""

    async def stats(self) -> CharonStats:
        raise DoorError("charon did not answer 'stats' in 10 s")


async def look_at(tmp_path: Path, dialled: tuple[str, ...], charon: FakeCharon) -> Facts:
    """From a host on 192.168.1.0/24 that knows no other network."""
    plan = edge_plan()
    peers = {HUB: structs.replace(plan.peers[HUB], addresses=dialled)}
    kernel = FakeNetlink(others={"eth0": (ip_interface(HOME),)})
    parts: dict[str, Any] = dict.fromkeys(("netlink", "links", "bridge", "nft", "unbound"))
    doors = Doors(
        paths=Paths(tmp_path), routes=cast("Any", kernel), sysctl=SysctlDoor(tmp_path), charon=charon, **parts
    )
    capability = Capability(Ipsec.LIBIPSEC, "for the test")
    return await look(doors, structs.replace(plan, peers=peers), capability, (ip_address("192.0.2.53"),))


async def test_a_hub_is_seen_at_the_first_of_its_addresses_that_there_is_a_way_to(tmp_path: Path) -> None:
    charon = FakeCharon(Wire(), "192.168.1.10")
    dialled = ("2001:db8::1", "hub.example", "192.168.1.77", "192.168.1.78")
    facts = await look_at(tmp_path, dialled, charon)
    assert facts.sources == {HUB: ip_address("192.168.1.10")}
    assert (await look_at(tmp_path, ("2001:db8::1", "hub.example"), charon)).sources == {}


async def test_a_charon_that_hangs_does_not_blind_us(tmp_path: Path) -> None:
    facts = await look_at(tmp_path, ("192.168.1.77",), HungCharon(Wire(), "192.168.1.10"))
    assert facts.ipsec is Ipsec.LIBIPSEC
    assert facts.connected == (ip_network("192.168.1.0/24"),)
