# SPDX-License-Identifier: Apache-2.0
"""EnrollTokens on the real API server: counted by compare-and-swap, whoever redeems them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.netcore.plan.token import parse_token
from cloud.ca.keys import new_ec_key
from cloud.commands import dispatch
from cloud.store.tokens import Refused, TokenRefusedError
from cloud.token_objects import redeem
from tests.kube.cluster import api_for
from tests.kube.operating import operating
from tests.kube.server import KubeServer
from tests.kube.things import TOKENS
from tests.unit.ca.requests import request_for
from tests.unit.endpoint.operators import ask_to_enroll

SOON = timedelta(hours=1)


def make(operator: Any, **asked: Any) -> dict[str, Any]:
    """A token as the command makes it, with the object that is to be applied."""
    result: dict[str, Any] = dispatch(operator.app, "token-create", {"ttl": 3600, "as_object": True, **asked})
    return result


async def test_as_many_as_it_says_at_two_operators(cluster: KubeServer) -> None:
    async with operating(cluster) as operator:
        made = make(operator, name="node-*", uses=5)
    cluster.kubectl("apply", "-f", "-", text=json.dumps(made["object"]))
    token = parse_token(made["token"])
    assert token.secret not in json.dumps(cluster.ask("GET", f"{TOKENS}/{token.id}"))
    one, other = api_for(cluster), api_for(cluster)

    async def attempt(number: int) -> str:
        try:
            api = (one, other)[number % 2]
            await redeem(api, token.id, token.secret, f"node-{number}", datetime.now(UTC))
        except TokenRefusedError as error:
            return error.reason
        return "in"

    try:
        outcomes = await asyncio.gather(*(attempt(number) for number in range(40)))
    finally:
        await one.close()
        await other.close()
    assert outcomes.count("in") == 5
    assert outcomes.count(Refused.USED) == 35
    head, row = cluster.kubectl("get", "enrolltokens").splitlines()
    assert head.split()[:4] == ["NAME", "FOR", "USED", "USES"]
    assert row.split()[:4] == [token.id, "node-*", "5", "5"]


async def test_a_device_comes_in_by_an_object(cluster: KubeServer, tmp_path: Path) -> None:
    async with operating(cluster) as operator, operator.client() as client:
        made = make(operator, name="shop1")
        token = parse_token(made["token"])

        async def come(request: bytes) -> str:
            answer = await ask_to_enroll(client, operator, token, request)
            return "in" if answer.status == 200 else str((await answer.json())["error"])

        request = request_for(new_ec_key())
        assert await come(request) == "token-unknown"  # nobody has applied it
        cluster.kubectl("apply", "-f", "-", text=json.dumps(made["object"]))
        assert await come(request) == "in"
        assert await come(request_for(new_ec_key())) == "token-used"
        valid = operator.app.store.devices.valid()
        assert list(valid) == ["shop1"]
        assert await come(request) == "in", "its answer may have been lost"
        assert operator.app.store.devices.valid() == valid
        assert cluster.ask("GET", f"{TOKENS}/{token.id}")["status"]["used"] == 1


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"hash": "secret"}, "spec.hash"),
        ({"name": "Shop 1"}, "spec.name"),
        ({"uses": 0}, "spec.uses"),
        ({"secret": "x"}, "unknown field"),
    ],
)
async def test_nonsense_is_refused(cluster: KubeServer, spec: dict[str, Any], message: str) -> None:
    good = {"hash": "0" * 64, "name": "shop1", "expires": "2030-01-01T00:00:00Z"}
    body = {"apiVersion": "orillo.io/v1alpha1", "kind": "EnrollToken", "metadata": {"name": "0a1b2c3d"}}
    answer = cluster.admin.post(
        TOKENS, json=body | {"spec": good | spec}, params={"fieldValidation": "Strict"}
    )
    assert answer.status_code in (400, 422)
    assert message in answer.json()["message"]
