# SPDX-License-Identifier: Apache-2.0
"""The device's own code against this endpoint: both sides of the contract, with nothing faked between."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.netcore.plan.exchange import REVOKED, TOKEN_USED, Report
from appliance.netcore.plan.signature import verify
from appliance.netcore.plan.token import Token
from appliance.paths import Paths
from appliance.sync.control import ControlClient
from appliance.sync.enroll import enroll
from appliance.sync.errors import IdentityError, RefusedError
from cloud.enrolment import revoke
from cloud.source.manifests import read_manifests
from tests.unit.endpoint.operators import NODES, Operator, new_token


def token_for(operator: Operator, name: str) -> Token:
    """A token with the ports that the kernel chose."""
    token = new_token(operator.app, name)
    urls = {"enroll_url": operator.enrolment(""), "control_url": operator.control("")}
    return Token(**{field: getattr(token, field) for field in Token.__struct_fields__} | urls)


async def test_device_lives_its_life(operator: Operator, tmp_path: Path) -> None:
    with operator.app.change("root@test"):
        operator.app.store.objects.put(read_manifests([("nodes.yaml", NODES)]))
    token = token_for(operator, "shop1")
    device = await enroll(Paths(tmp_path), token)
    assert device.identity == operator.app.identities()["shop1"]
    client = ControlClient(device)
    try:
        answer = await client.plan(None, wait=1)
        assert answer
        plan = verify(answer.body, (await client.trust()).plan_keys, device.identity)
        assert plan.identity == device.identity
        assert await client.plan(answer.etag, wait=0) is None
        report = Report(device.identity, "0.1.0", datetime.now(UTC), plan.generation, answer.etag, "libipsec")
        await client.report(report)
        assert operator.app.store.devices.latest()["shop1"].report == report
        revoke(operator.app, "shop1", "root@test")
        with pytest.raises(RefusedError) as caught:
            await client.plan(answer.etag, wait=30)
        assert caught.value.code == REVOKED
    finally:
        await client.close()
    with pytest.raises(RefusedError) as used:
        await enroll(Paths(tmp_path), token)
    assert used.value.code == TOKEN_USED


async def test_device_with_another_operators_token_sends_no_secret(
    operator: Operator, tmp_path: Path
) -> None:
    token = token_for(operator, "shop1")
    foreign = {"ca_pin": os.urandom(32).hex()}
    stranger = Token(**{field: getattr(token, field) for field in Token.__struct_fields__} | foreign)
    with pytest.raises(IdentityError, match="not the one that the token vouches for"):
        await enroll(Paths(tmp_path), stranger)
    assert operator.app.store.tokens.all()[0].used_at is None
