# SPDX-License-Identifier: Apache-2.0
"""Ownership streams on loopback, with real TLS and certificates like the operator's."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from msgspec import structs

from appliance.netcore.ownership.access import TlsFiles
from appliance.netcore.ownership.ownership import Ownership
from appliance.netcore.ownership.stream import hang_up
from appliance.netcore.plan.identity import Identity, Place
from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.plan.values import Role
from tests.fakes.certificates import Authority, Device
from tests.unit.plan.plans import edge_plan

ROLES = {
    "connector-1": (Role.CONNECTOR, "127.0.0.11"),
    "connector-2": (Role.CONNECTOR, "127.0.0.12"),
    "worker-1": (Role.CLOUD_NODE, "127.0.0.21"),
}


def identity(name: str, instance: str = "aaaaaaaa") -> Identity:
    return Identity(cluster="lab", name=name, instance=instance)


def plan_of(name: str, ca: str, revoked: tuple[str, ...] = ()) -> Plan:
    base = edge_plan()
    role, address = ROLES[name]
    peers = {
        other: Peer(
            role=peer_role,
            ike_id=identity(other).ike_id,
            overlay=base.overlay,
            underlay=(ip_address(peer_address),),
        )
        for other, (peer_role, peer_address) in ROLES.items()
        if other != name
    }
    return structs.replace(
        base,
        identity=identity(name),
        place=Place(role=role, site="cloud"),
        trust=structs.replace(base.trust, ca=(ca,), revoked=revoked),
        underlay=(ip_address(address),),
        peers=peers,
    )


@dataclass
class Cloud:
    """Some devices of one cloud, with an ownership each."""

    directory: Path
    port: int
    authority: Authority = field(default_factory=Authority)
    running: list[Ownership] = field(default_factory=list)

    def files(self, device: Device) -> TlsFiles:
        return TlsFiles(device.certificate, device.key)

    def start(self, name: str, instance: str = "aaaaaaaa", authority: Authority | None = None) -> Ownership:
        ownership = Ownership(lambda: None, port=self.port)
        device = (authority or self.authority).issue(identity(name, instance), self.directory)
        ownership.configure(plan_of(name, self.authority.pem), self.files(device))
        self.running.append(ownership)
        return ownership


@asynccontextmanager
async def a_cloud(directory: Path) -> AsyncIterator[Cloud]:
    with socket.socket() as free:
        free.bind(("127.0.0.11", 0))
        port = free.getsockname()[1]
    cloud = Cloud(directory, port)
    try:
        yield cloud
    finally:
        for ownership in cloud.running:
            await ownership.close()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


async def test_everybody_in_the_cloud_learns_the_newest_owner(tmp_path: Path) -> None:
    async with a_cloud(tmp_path) as cloud:
        one, two, worker = (cloud.start(name) for name in ROLES)
        now = asyncio.get_running_loop().time()
        one.update_own({"shop1": now - 50, "shop2": now - 40})
        two.update_own({"shop1": now - 5})
        wanted = {"shop1": "connector-2", "shop2": "connector-1"}
        await eventually(lambda: all(end.owners() == wanted for end in (one, two, worker)))
        two.update_own({})
        await eventually(lambda: all(end.owners()["shop1"] == "connector-1" for end in (one, two, worker)))


async def test_a_crashed_connector_keeps_its_claims_until_newer_ones_come(tmp_path: Path) -> None:
    async with a_cloud(tmp_path) as cloud:
        one, two, worker = (cloud.start(name) for name in ROLES)
        now = asyncio.get_running_loop().time()
        one.update_own({"shop1": now - 50})
        await eventually(lambda: worker.owners() == {"shop1": "connector-1"})
        await one.close()
        assert worker.owners() == {"shop1": "connector-1"}
        two.update_own({"shop1": now})
        await eventually(lambda: worker.owners() == {"shop1": "connector-2"})


async def test_a_connector_that_comes_back_is_followed_again(tmp_path: Path) -> None:
    async with a_cloud(tmp_path) as cloud:
        worker = cloud.start("worker-1")
        one = cloud.start("connector-1")
        now = asyncio.get_running_loop().time()
        one.update_own({"shop1": now})
        await eventually(lambda: worker.owners() == {"shop1": "connector-1"})
        await one.close()
        again = cloud.start("connector-1")
        again.update_own({"shop2": now})
        await eventually(lambda: worker.owners() == {"shop2": "connector-1"})


async def test_a_superseded_enrolment_and_another_ca_learn_nothing(tmp_path: Path) -> None:
    async with a_cloud(tmp_path) as cloud:
        (tmp_path / "other").mkdir()
        other = Cloud(tmp_path / "other", cloud.port, cloud.authority, cloud.running)
        one = cloud.start("connector-1")
        superseded = other.start("worker-1", instance="bbbbbbbb")
        stranger = other.start("connector-2", authority=Authority("other"))
        honest = cloud.start("worker-1")
        one.update_own({"shop1": asyncio.get_running_loop().time()})
        await eventually(lambda: honest.owners() == {"shop1": "connector-1"})
        assert superseded.owners() == stranger.owners() == {}


async def test_a_revoked_listener_is_dropped_in_the_middle(tmp_path: Path) -> None:
    async with a_cloud(tmp_path) as cloud:
        one, two, worker = (cloud.start(name) for name in ROLES)
        now = asyncio.get_running_loop().time()
        one.update_own({"shop1": now})
        await eventually(lambda: worker.owners() == two.owners() == {"shop1": "connector-1"})
        files = TlsFiles(tmp_path / "connector-1.pem", tmp_path / "connector-1.key")
        one.configure(plan_of("connector-1", cloud.authority.pem, (identity("worker-1").uri,)), files)
        one.update_own({"shop2": now})
        await eventually(lambda: two.owners() == {"shop2": "connector-1"})
        assert worker.owners() == {"shop1": "connector-1"}


async def test_claims_of_a_connector_that_left_the_plan_are_forgotten(tmp_path: Path) -> None:
    async with a_cloud(tmp_path) as cloud:
        one, worker = cloud.start("connector-1"), cloud.start("worker-1")
        one.update_own({"shop1": asyncio.get_running_loop().time()})
        await eventually(lambda: worker.owners() == {"shop1": "connector-1"})
        alone = structs.replace(plan_of("worker-1", cloud.authority.pem), peers={})
        worker.configure(alone, TlsFiles(tmp_path / "worker-1.pem", tmp_path / "worker-1.key"))
        assert worker.owners() == {}


async def test_no_certificate_no_claims(tmp_path: Path) -> None:
    async with a_cloud(tmp_path) as cloud:
        cloud.start("connector-1").update_own({"shop1": 0.0})
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=cloud.authority.pem)
        line = await _first_line(cloud.port, context)
        assert line == b""


async def _first_line(port: int, context: ssl.SSLContext) -> bytes:
    async with asyncio.timeout(5):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.11", port, ssl=context)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
                continue
            try:
                return await reader.readline()
            except OSError:
                return b""
            finally:
                await hang_up(writer)
