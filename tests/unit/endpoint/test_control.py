# SPDX-License-Identifier: Apache-2.0
"""The control listener, over real TLS: plans, long poll, reports, renewal, and who is let in."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientResponse, ClientSession
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.netcore.plan.exchange import PLAN_PATH, RENEW_PATH, REPORT_PATH, TRUST_PATH, Report
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.signature import verify
from appliance.netcore.plan.values import encode
from cloud.ca.issuer import Issuer
from cloud.ca.keys import new_ec_key, private_pem
from cloud.enrolment import revoke
from cloud.source.manifests import read_manifests
from tests.unit.ca.requests import certificate_in, request_for
from tests.unit.endpoint.operators import COMMUNITY, NODES, Device, Operator, enroll

DEADLINE = 10.0


def apply(operator: Operator, text: str) -> None:
    """As the verb does it."""
    with operator.app.change("root@test"):
        operator.app.store.objects.put(read_manifests([("test.yaml", text)]))


async def poll(client: ClientSession, operator: Operator, known: str = "", wait: int = 0) -> ClientResponse:
    """Ask for the plan."""
    headers = {"Prefer": f"wait={wait}"} | ({"If-None-Match": f'"{known}"'} if known else {})
    return await client.get(operator.control(PLAN_PATH), headers=headers)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until it holds."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0)


@pytest.fixture(name="shop1")
async def enroll_shop1(operator: Operator, tmp_path: Path) -> Device:
    apply(operator, NODES)
    await enroll(operator, tmp_path, "connector-1")
    return await enroll(operator, tmp_path, "shop1")


async def test_plan_is_signed_and_tagged(operator: Operator, shop1: Device) -> None:
    async with operator.client(shop1) as client, await poll(client, operator) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        body, tag = await answer.read(), answer.headers["ETag"]
    plan = verify(body, operator.app.plan_key.trusted, shop1.identity)
    assert f'"{operator.app.store.plans.all()["shop1"].digest}"' == tag
    assert plan.generation == 1
    assert list(plan.hubs) == ["connector-1"]


async def test_nothing_new_is_304_after_the_wait(operator: Operator, shop1: Device) -> None:
    digest = operator.app.store.plans.all()["shop1"].digest
    clock = asyncio.get_running_loop().time
    async with operator.client(shop1) as client:
        before = clock()
        async with await poll(client, operator, digest, wait=1) as answer:
            assert answer.status == 304
            assert 1 <= clock() - before < DEADLINE
        async with await poll(client, operator, digest) as answer:
            assert answer.status == 304


async def test_held_request_wakes_on_apply(operator: Operator, shop1: Device, tmp_path: Path) -> None:
    await enroll(operator, tmp_path, "shop2")
    digest = operator.app.store.plans.all()["shop1"].digest
    async with operator.client(shop1) as client, asyncio.timeout(DEADLINE):
        held = asyncio.create_task(poll(client, operator, digest, wait=30))
        await until(lambda: operator.server.polls.held("shop1") == 1)
        apply(operator, COMMUNITY)
        answer = await held
        assert answer.status == 200
        plan = verify(await answer.read(), operator.app.plan_key.trusted, shop1.identity)
    assert "shop2" in plan.peers
    assert plan.author == "root@test"
    assert operator.server.polls.held("shop1") == 0


async def test_held_request_sleeps_through_news_for_others(operator: Operator, shop1: Device) -> None:
    digest = operator.app.store.plans.all()["shop1"].digest
    async with operator.client(shop1) as client, asyncio.timeout(DEADLINE):
        held = asyncio.create_task(poll(client, operator, digest, wait=30))
        await until(lambda: operator.server.polls.held("shop1") == 1)
        operator.server.polls.wake({"connector-1"})
        apply(operator, NODES)  # changes nothing
        assert operator.server.polls.held("shop1") == 1
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)
        await until(lambda: operator.server.polls.held("shop1") == 0)


async def test_device_without_a_node_is_told_so(operator: Operator, tmp_path: Path) -> None:
    stranger = await enroll(operator, tmp_path, "depot")
    async with operator.client(stranger) as client:
        async with await poll(client, operator) as answer:
            assert (answer.status, (await answer.json())["error"]) == (404, "plan-none")
        held = asyncio.create_task(poll(client, operator, wait=30))
        await until(lambda: operator.server.polls.held("depot") == 1)
        apply(operator, NODES.replace("shop2", "depot"))
        assert (await held).status == 200


async def test_node_that_went_and_came_back_goes_on_counting(operator: Operator, shop1: Device) -> None:
    with operator.app.change("root@test"):
        operator.app.store.objects.delete([("Node", "", "shop1")])
    async with operator.client(shop1) as client:
        async with await poll(client, operator) as answer:
            assert answer.status == 404
        apply(operator, NODES)
        async with await poll(client, operator) as answer:
            plan = verify(await answer.read(), operator.app.plan_key.trusted, shop1.identity)
    assert plan.generation == 2


async def test_revoked_identity_is_refused_at_once(operator: Operator, shop1: Device) -> None:
    digest = operator.app.store.plans.all()["shop1"].digest
    async with operator.client(shop1) as client, asyncio.timeout(DEADLINE):
        held = asyncio.create_task(poll(client, operator, digest, wait=30))
        await until(lambda: operator.server.polls.held("shop1") == 1)
        revoke(operator.app, "shop1", "root@test")
        answers = [await held]  # the one that was held, and every other on the same connection
        answers += [await poll(client, operator), await client.get(operator.control(TRUST_PATH))]
        answers += [await client.post(operator.control(path), data=b"") for path in (REPORT_PATH, RENEW_PATH)]
        for answer in answers:
            assert (answer.status, (await answer.json())["error"]) == (403, "identity-revoked")


async def test_peers_learn_of_a_revocation(operator: Operator, shop1: Device) -> None:
    revoke(operator.app, "shop1", "root@test")
    document = operator.app.store.plans.all()["connector-1"].document
    assert document
    identity = operator.app.identities()["connector-1"]
    plan = verify(document, operator.app.plan_key.trusted, identity)
    assert plan.trust.revoked == (shop1.identity.uri,)
    assert "shop1" not in plan.peers


async def test_successor_shuts_its_predecessor_out(operator: Operator, shop1: Device, tmp_path: Path) -> None:
    successor = await enroll(operator, tmp_path, "shop1")
    assert successor.identity.instance != shop1.identity.instance
    async with operator.client(shop1) as client, await poll(client, operator) as answer:
        assert (answer.status, (await answer.json())["error"]) == (403, "identity-revoked")
    async with operator.client(successor) as client, await poll(client, operator) as answer:
        assert answer.status == 200


async def test_no_certificate_no_connection(operator: Operator, shop1: Device) -> None:
    assert shop1
    async with operator.client() as client:
        with pytest.raises((ClientError, ssl.SSLError, ConnectionError)):
            await poll(client, operator)


async def test_certificate_of_another_ca_is_no_certificate(
    operator: Operator, shop1: Device, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other, key = Issuer.create(folder, "lab", datetime.now(UTC)), new_ec_key()
    leaf = certificate_in(other.issue(request_for(key), shop1.identity, datetime.now(UTC)))
    impostor = Device(shop1.identity, folder / "device.pem")
    impostor.files.write_bytes(private_pem(key) + _pem(leaf))
    async with operator.client(impostor) as client:
        with pytest.raises((ClientError, ssl.SSLError, ConnectionError)):
            await poll(client, operator)


async def test_listeners_own_certificate_is_no_devices(operator: Operator, shop1: Device) -> None:
    thief = Device(shop1.identity, operator.paths.keys / "server.pem")
    async with operator.client(thief) as client:
        with pytest.raises((ClientError, ssl.SSLError, ConnectionError)):
            await poll(client, operator)


async def test_identity_of_another_cluster_is_refused(
    operator: Operator, shop1: Device, tmp_path: Path
) -> None:
    key = new_ec_key()
    identity = Identity("elsewhere", shop1.identity.name, shop1.identity.instance)
    leaf = certificate_in(operator.app.issuer.issue(request_for(key), identity, datetime.now(UTC)))
    foreign = Device(identity, tmp_path / "foreign.pem")
    foreign.files.write_bytes(private_pem(key) + _pem(leaf))
    async with operator.client(foreign) as client, await poll(client, operator) as answer:
        assert answer.status == 403


async def test_report_is_kept(operator: Operator, shop1: Device) -> None:
    report = _report(shop1.identity)
    url = operator.control(REPORT_PATH)
    async with operator.client(shop1) as client, client.post(url, data=encode(report)) as answer:
        assert answer.status == 204
    kept = operator.app.store.devices.latest()["shop1"]
    assert kept.report == report
    assert kept.last_seen is not None


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"identity": 1}', b"\xff\xfe"])
async def test_garbage_is_no_report(operator: Operator, shop1: Device, body: bytes) -> None:
    url = operator.control(REPORT_PATH)
    async with operator.client(shop1) as client, client.post(url, data=body) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "report-bad")


async def test_nobody_reports_for_another(operator: Operator, shop1: Device) -> None:
    report = _report(operator.app.identities()["connector-1"])
    url = operator.control(REPORT_PATH)
    async with operator.client(shop1) as client, client.post(url, data=encode(report)) as answer:
        assert answer.status == 400
    assert operator.app.store.devices.latest()["connector-1"].report is None


async def test_renewal_is_for_the_same_instance_and_a_new_key(operator: Operator, shop1: Device) -> None:
    key = new_ec_key()
    async with operator.client(shop1) as client:
        async with client.post(operator.control(RENEW_PATH), data=request_for(key, "connector-1")) as answer:
            assert answer.status == 200
            leaf = certificate_in(await answer.read())
        async with client.post(operator.control(RENEW_PATH), data=b"rubbish") as answer:
            assert answer.status == 400
    assert leaf.public_key() == key.public_key()
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [shop1.identity.uri]
    assert leaf.not_valid_after_utc - datetime.now(UTC) > timedelta(days=89)


async def test_close_ends_held_requests_at_once(operator: Operator, shop1: Device) -> None:
    digest = operator.app.store.plans.all()["shop1"].digest
    clock = asyncio.get_running_loop().time
    async with operator.client(shop1) as client:
        held = [asyncio.create_task(poll(client, operator, digest, wait=30)) for _ in range(5)]
        await until(lambda: operator.server.polls.held("shop1") == 5)
        before = clock()
        await operator.server.close()
        assert clock() - before < 2
        assert {(await request).status for request in held} == {304}


def _report(identity: Identity) -> Report:
    return Report(
        identity=identity, agent="0.1.0", at=datetime.now(UTC), generation=1, digest="", ipsec="libipsec"
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
