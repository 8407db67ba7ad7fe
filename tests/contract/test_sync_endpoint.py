# SPDX-License-Identifier: Apache-2.0
"""The device's side of the control endpoint, on the fake and on the operator's own."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from appliance.netcore.plan.exchange import (
    PLAN_NONE,
    REVOKED,
    TOKEN_EXPIRED,
    TOKEN_UNKNOWN,
    TOKEN_USED,
    Report,
)
from appliance.netcore.plan.signature import verify
from appliance.netcore.plan.token import Token, parse_token
from appliance.paths import Paths
from appliance.sync.client import EnrolClient
from appliance.sync.control import ControlClient
from appliance.sync.enroll import enroll
from appliance.sync.errors import IdentityError, RefusedError, TlsError, UnreachableError
from appliance.sync.identity import DeviceIdentity, load_identity
from appliance.sync.renew import renew
from cloud.app import App
from cloud.ca.issuer import Issuer
from cloud.ca.keys import PlanKey
from cloud.endpoint.server import Server
from cloud.enrolment import create_token, revoke
from cloud.intent import Apply, File, apply
from cloud.paths import CloudPaths
from cloud.settings import Settings, write_settings
from tests.fakes.control_endpoint import FakeControlEndpoint

NODES = """
apiVersion: v1
kind: Node
metadata: {name: connector-1, labels: {node-role.kubernetes.io/connector: ""},
           annotations: {fabedge.io/node-public-addresses: 203.0.113.11}}
---
apiVersion: v1
kind: Node
metadata: {name: shop1, labels: {node-role.kubernetes.io/edge: "", topology.kubernetes.io/zone: %s}}
"""


class World(Protocol):
    """What the tests do with either endpoint. `shop1` is a device that plans can be made for."""

    def token(self, name: str, life: timedelta = timedelta(hours=1)) -> Token: ...

    def change(self) -> None:
        """Make a new plan for shop1, whatever it says."""

    def revoke(self, name: str) -> None: ...

    def reports(self, name: str) -> int: ...


class FakeWorld:
    """The fake."""

    def __init__(self, endpoint: FakeControlEndpoint) -> None:
        self._endpoint = endpoint
        self._generation = 0

    def token(self, name: str, life: timedelta = timedelta(hours=1)) -> Token:
        return parse_token(self._endpoint.token(name, life))

    def change(self) -> None:
        self._generation += 1
        self._endpoint.publish("shop1", self._generation)

    def revoke(self, name: str) -> None:
        self._endpoint.revoke(name)

    def reports(self, name: str) -> int:
        return len(self._endpoint.reports(name))


class OperatorWorld:
    """The operator's own endpoint, in this process, with a store of its own."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._changes = 0

    def token(self, name: str, life: timedelta = timedelta(hours=1)) -> Token:
        return create_token(self._app, name, life)

    def change(self) -> None:
        self._changes += 1
        nodes = NODES % f"zone-{self._changes}"
        apply(self._app, Apply(files=(File("nodes.yaml", nodes),), author="test"))

    def revoke(self, name: str) -> None:
        revoke(self._app, name, "test")

    def reports(self, name: str) -> int:
        device = self._app.store.devices.latest().get(name)
        return 1 if device is not None and device.report is not None else 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _fake(directory: Path) -> AsyncIterator[World]:
    endpoint = FakeControlEndpoint(directory)
    await endpoint.start()
    yield FakeWorld(endpoint)
    await endpoint.stop()


async def _operator(directory: Path) -> AsyncIterator[World]:
    paths = CloudPaths(directory)
    settings = Settings(
        cluster="lab",
        addresses=("127.0.0.1",),
        control_port=free_port(),
        enroll_port=free_port(),
        listen="127.0.0.1",
    )
    write_settings(paths.settings, settings)
    now = datetime.now(UTC)
    paths.keys.mkdir(parents=True)
    Issuer.create(paths.keys, settings.cluster, now)
    PlanKey.create(paths.keys / "plan.key")
    app = App.open(paths)
    server = await Server.start(app, paths)
    yield OperatorWorld(app)
    await server.close()
    app.store.close()


@pytest.fixture(params=[_fake, _operator], ids=["fake", "operator"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async for made in request.param(tmp_path / "cloud_root"):
        yield made


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "cloud_root").mkdir(exist_ok=True)
    return Paths(tmp_path / "device")


@pytest.fixture(autouse=True)
def directory(tmp_path: Path) -> None:
    (tmp_path / "cloud_root").mkdir(exist_ok=True)


async def connected(world: World, paths: Paths) -> tuple[DeviceIdentity, ControlClient]:
    device = await enroll(paths, world.token("shop1"))
    return device, ControlClient(device)


async def test_enrolment_leaves_a_whole_identity(world: World, paths: Paths) -> None:
    device = await enroll(paths, world.token("shop1"))
    assert (device.identity.cluster, device.identity.name) == ("lab", "shop1")
    assert load_identity(paths) == device
    assert device.key.stat().st_mode & 0o777 == 0o600
    assert device.not_before < datetime.now(UTC) < device.not_after


@pytest.mark.parametrize("code", [TOKEN_UNKNOWN, TOKEN_USED, TOKEN_EXPIRED])
async def test_bad_token_has_its_own_message_and_leaves_nothing(
    world: World, paths: Paths, code: str
) -> None:
    token = world.token("shop1", timedelta(seconds=-1) if code == TOKEN_EXPIRED else timedelta(hours=1))
    if code == TOKEN_UNKNOWN:
        token = Token(token.id, "wrong", token.enroll_url, token.control_url, token.ca_pin)
    if code == TOKEN_USED:
        await enroll(Paths(paths.root / "other"), token)
    with pytest.raises(RefusedError) as refused:
        await enroll(paths, token)
    assert refused.value.code == code
    assert "orillo-cloud token create" in str(refused.value)
    assert token.secret not in str(refused.value)
    assert load_identity(paths) is None
    assert list(paths.state.iterdir()) == []


async def lost_answer(paths: Paths, token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    """An enrolment whose request arrives, and whose answer does not."""
    ask = EnrolClient.enrol

    async def ask_in_vain(self: EnrolClient, csr: bytes) -> bytes:
        await ask(self, csr)
        raise UnreachableError("the line is gone")

    with monkeypatch.context() as patch:
        patch.setattr(EnrolClient, "enrol", ask_in_vain)
        with pytest.raises(UnreachableError):
            await enroll(paths, token)
    assert load_identity(paths) is None


async def test_answer_that_was_lost_is_given_again(
    world: World, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a weak line would cost the token, and somebody a way to the site."""
    token = world.token("shop1")
    await lost_answer(paths, token, monkeypatch)
    with pytest.raises(RefusedError) as refused:
        await enroll(Paths(paths.root / "thief"), token)
    assert refused.value.code == TOKEN_USED
    device = await enroll(paths, token)
    world.change()
    client = ControlClient(device)
    assert await client.plan(None, wait=0)
    await client.close()
    with pytest.raises(RefusedError) as refused:
        await enroll(paths, token)
    assert refused.value.code == TOKEN_USED, "with its answer the key is in use, and the token at its end"


async def test_who_was_shut_out_is_not_answered_again(
    world: World, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = world.token("shop1")
    await lost_answer(paths, token, monkeypatch)
    world.revoke("shop1")
    with pytest.raises(RefusedError) as refused:
        await enroll(paths, token)
    assert refused.value.code == TOKEN_USED


async def test_foreign_ca_is_refused_before_the_token_is_sent(world: World, paths: Paths) -> None:
    token = world.token("shop1")
    foreign = Token(token.id, token.secret, token.enroll_url, token.control_url, "0" * 64)
    with pytest.raises(IdentityError, match="not the one that the token vouches for"):
        await enroll(paths, foreign)
    # The very same token still works, so it was not redeemed.
    await enroll(paths, token)


async def test_re_enrolment_is_another_instance(world: World, paths: Paths) -> None:
    first = await enroll(paths, world.token("shop1"))
    second = await enroll(paths, world.token("shop1"))
    assert first.identity.name == second.identity.name
    assert first.identity.instance != second.identity.instance
    assert load_identity(paths) == second


async def test_plan_arrives_once_and_then_is_waited_for(world: World, paths: Paths) -> None:
    device, client = await connected(world, paths)
    world.change()
    offer = await client.plan(None, wait=5)
    assert offer is not None
    plan = verify(offer.body, device.plan_keys, device.identity)
    assert plan.identity == device.identity
    assert await client.plan(offer.etag, wait=0) is None
    waiting = asyncio.ensure_future(client.plan(offer.etag, wait=20))
    await asyncio.sleep(0)
    world.change()
    newer = await asyncio.wait_for(waiting, 10)
    assert newer is not None
    assert verify(newer.body, device.plan_keys, device.identity).generation > plan.generation
    await client.close()


async def test_device_without_a_node_is_told_so(world: World, paths: Paths) -> None:
    device = await enroll(paths, world.token("nowhere"))
    client = ControlClient(device)
    with pytest.raises(RefusedError) as refused:
        await client.plan(None, wait=0)
    assert refused.value.code == PLAN_NONE
    assert "orillo-cloud apply" in str(refused.value)
    await client.close()


async def test_revoked_identity_is_told_so_at_once(world: World, paths: Paths) -> None:
    _, client = await connected(world, paths)
    world.change()
    offer = await client.plan(None, wait=5)
    assert offer is not None
    waiting = asyncio.ensure_future(client.plan(offer.etag, wait=20))
    await asyncio.sleep(0)
    world.revoke("shop1")
    with pytest.raises(RefusedError) as refused:
        await asyncio.wait_for(waiting, 10)
    assert refused.value.code == REVOKED
    await client.close()


async def test_report_is_kept(world: World, paths: Paths) -> None:
    device, client = await connected(world, paths)
    await client.report(
        Report(
            identity=device.identity,
            agent="0.1.0",
            at=datetime.now(UTC),
            generation=0,
            digest="",
            ipsec="libipsec",
        )
    )
    assert world.reports("shop1") == 1
    await client.close()


async def test_renewal_keeps_the_instance_and_changes_the_key(world: World, paths: Paths) -> None:
    device, client = await connected(world, paths)
    key = device.key.read_bytes()
    renewed = await renew(paths, device, client)
    await client.close()
    assert renewed.identity == device.identity
    assert device.key.read_bytes() != key
    again = ControlClient(renewed)
    assert (await again.trust()).cluster == "lab"
    await again.close()


async def test_control_listener_wants_a_certificate(world: World, paths: Paths) -> None:
    token = world.token("shop1")
    # An enrolment at the control listener: no client certificate is shown there.
    wrong = Token(token.id, token.secret, token.control_url, token.control_url, token.ca_pin)
    with pytest.raises((TlsError, UnreachableError)):
        await enroll(paths, wrong)
    assert load_identity(paths) is None
