# SPDX-License-Identifier: Apache-2.0
"""The enrolment listener, over real TLS: who comes in, as whom, and who does not."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from appliance.netcore.plan.exchange import CA_CERTS_PATH, ENROLL_PATH, TRUST_PATH, TrustAnswer
from appliance.netcore.plan.signature import verify
from appliance.netcore.plan.token import Token
from appliance.netcore.plan.values import decode
from cloud.ca.keys import new_ec_key
from cloud.endpoint.enrolment import READY_PATH
from cloud.enrolment import create_token
from cloud.replicas.lease import Election
from cloud.replicas.replica import Replica
from cloud.source.manifests import read_manifests
from cloud.store.database import StoreError
from tests.fakes.kube_api import FakeKubeApi, KubeObjects
from tests.unit.ca.requests import certificate_in, request_for
from tests.unit.endpoint.operators import (
    NODES,
    Clock,
    Operator,
    ask_to_enroll,
    basic,
    enroll,
    new_token,
    running,
)


async def test_ca_is_told_to_anyone(operator: Operator) -> None:
    async with operator.client() as client, client.get(operator.enrolment(CA_CERTS_PATH)) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/pkcs7-mime"
        certificate = certificate_in(await answer.read())
    assert certificate == x509.load_pem_x509_certificate(operator.app.issuer.certificate_pem.encode())


async def test_trust_is_told_to_anyone(operator: Operator) -> None:
    async with operator.client() as client, client.get(operator.enrolment(TRUST_PATH)) as answer:
        trust = decode(await answer.read(), TrustAnswer)
    assert trust.cluster == "lab"
    assert trust.ca == (operator.app.issuer.certificate_pem,)
    assert trust.plan_keys == operator.app.plan_key.trusted


async def test_replica_is_ready_once_it_has_seen_the_ledger(operator: Operator) -> None:
    """A Service sends devices only to who is ready: one that knows of no enrolment would refuse them all."""

    async def ready() -> tuple[int, str]:
        async with operator.client() as client, client.get(operator.enrolment(READY_PATH)) as answer:
            return answer.status, (await answer.json())["waits_for"]

    assert await ready() == (200, ""), "one that is alone has nobody to wait for"
    api: Any = FakeKubeApi(KubeObjects(), lambda: asyncio.sleep(0))
    replica = Replica(operator.app, api, Election(api, "ns", identity="r1"))
    assert await ready() == (503, "the cluster's Ledgers")
    following = asyncio.create_task(replica.pages.follow(lambda: None))
    async with asyncio.timeout(10):
        while (await ready())[0] != 200:
            pass
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


async def test_leaf_has_the_records_names(operator: Operator) -> None:
    token = new_token(operator.app, "shop1")
    async with operator.client() as client:
        answer = await ask_to_enroll(client, operator, token, request_for(new_ec_key(), "connector-1"))
        leaf = certificate_in(await answer.read())
    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "shop1"
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert uris == [operator.app.identities()["shop1"].uri]


async def test_one_token_lets_one_of_two_hundred_in(operator: Operator) -> None:
    token = new_token(operator.app)
    async with operator.client() as client:

        async def try_once() -> tuple[int, str]:
            answer = await ask_to_enroll(client, operator, token, request_for(new_ec_key()))
            return answer.status, "" if answer.status == 200 else (await answer.json())["error"]

        outcomes = await asyncio.gather(*(try_once() for _ in range(200)))
    assert outcomes.count((200, "")) == 1
    assert outcomes.count((401, "token-used")) == 199
    assert len(operator.app.store.devices.latest()) == 1


async def test_a_token_for_many_lets_in_as_many_as_it_says(operator: Operator) -> None:
    """Each as the name that it asks for, if that is like the pattern and nobody has it."""
    token = create_token(operator.app, "node-*", timedelta(hours=1), uses=5)
    async with operator.client() as client:

        async def try_as(name: str) -> str:
            answer = await ask_to_enroll(client, operator, token, request_for(new_ec_key(), name))
            return "in" if answer.status == 200 else str((await answer.json())["error"])

        assert await try_as("node-0") == "in"
        assert await try_as("node-0") == "name-taken"
        assert await try_as("connector-1") == "token-name"
        outcomes = await asyncio.gather(*(try_as(f"node-{number}") for number in range(1, 60)))
    assert outcomes.count("in") == 4
    assert outcomes.count("token-used") == 55
    assert len(operator.app.store.devices.valid()) == 5


async def test_one_of_many_is_answered_again_and_counted_once(tmp_path: Path) -> None:
    clock = Clock()
    async with running(tmp_path, clock) as operator, operator.client() as client:
        token = create_token(operator.app, "node-*", timedelta(hours=1), uses=2)
        first = request_for(new_ec_key(), "node-1")

        async def ask(request: bytes) -> str:
            answer = await ask_to_enroll(client, operator, token, request)
            if answer.status != 200:
                return str((await answer.json())["error"])
            return certificate_in(await answer.read()).subject.rfc4514_string()

        names = [await ask(first), await ask(request_for(new_ec_key(), "node-2")), await ask(first)]
        assert names == ["CN=node-1", "CN=node-2", "CN=node-1"]
        (kept,) = operator.app.store.tokens.all()
        assert kept.used == 2
        assert len(operator.app.store.devices.latest()) == 2
        clock.pass_by(timedelta(hours=1))
        assert await ask(first) == "token-used", "an answer that was lost is not asked for an hour later"


@pytest.mark.parametrize(
    ("change", "code"),
    [({"secret": "guess"}, "token-unknown"), ({"id": "00000000"}, "token-unknown"), ({}, "token-expired")],
)
async def test_each_bad_token_has_its_code(change: dict[str, str], code: str, tmp_path: Path) -> None:
    clock = Clock()
    async with running(tmp_path, clock) as operator, operator.client() as client:
        good = new_token(operator.app, life=timedelta(hours=1))
        token = Token(**{name: getattr(good, name) for name in Token.__struct_fields__} | change)
        if not change:
            clock.pass_by(timedelta(hours=1))
        answer = await ask_to_enroll(client, operator, token, request_for(new_ec_key()))
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
        refusal = await answer.json()
        assert refusal["error"] == code
        assert refusal["message"]
        assert operator.app.store.devices.latest() == {}


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic !"}])
async def test_no_token_no_entry(operator: Operator, header: dict[str, str]) -> None:
    url = operator.enrolment(ENROLL_PATH)
    async with operator.client() as client, client.post(url, data=b"", headers=header) as answer:
        assert (answer.status, (await answer.json())["error"]) == (401, "token-unknown")


async def test_broken_request_leaves_the_token_good(operator: Operator) -> None:
    token = new_token(operator.app)
    async with operator.client() as client:
        answer = await ask_to_enroll(client, operator, token, b"rubbish")
        assert (answer.status, (await answer.json())["error"]) == (400, "request-bad")
        assert (await ask_to_enroll(client, operator, token, request_for(new_ec_key()))).status == 200


async def test_failure_after_redemption_leaves_the_token_good(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = new_token(operator.app)

    def break_down(*_: object) -> None:
        raise StoreError("the disk is full")

    async with operator.client() as client:
        with monkeypatch.context() as patch:
            patch.setattr(operator.app.store.devices, "enroll", break_down)
            answer = await ask_to_enroll(client, operator, token, request_for(new_ec_key()))
            assert (answer.status, (await answer.json())["error"]) == (503, "operator-failed")
        assert (await ask_to_enroll(client, operator, token, request_for(new_ec_key()))).status == 200


async def test_large_request_is_refused(operator: Operator) -> None:
    token = new_token(operator.app)
    async with operator.client() as client:
        answer = await ask_to_enroll(client, operator, token, b"A" * 20_000)
        assert (answer.status, (await answer.json())["error"]) == (413, "http-413")


async def test_other_paths_and_methods_are_refused_in_the_same_form(operator: Operator) -> None:
    async with operator.client() as client:
        for path, code in (("/", "http-404"), (ENROLL_PATH, "http-405"), ("/v1/plan", "http-404")):
            async with client.get(operator.enrolment(path), headers=basic("a", "b")) as answer:
                assert (await answer.json())["error"] == code


async def test_enrolled_device_has_a_plan_that_it_believes(operator: Operator, tmp_path: Path) -> None:
    app = operator.app
    with app.change("root@test"):
        app.store.objects.put(read_manifests([("nodes.yaml", NODES)]))
    for name in ("shop1", "connector-1", "shop2"):  # edges before there is a hub, too
        await enroll(operator, tmp_path, name)
    stored = app.store.plans.all()
    assert {name: plan.generation for name, plan in stored.items()} == {
        "connector-1": 2,
        "shop1": 2,
        "shop2": 1,
    }
    for name, identity in app.identities().items():
        document = stored[name].document
        assert document
        plan = verify(document, app.plan_key.trusted, identity)
        assert plan.author == "enrolment"
