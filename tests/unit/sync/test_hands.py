# SPDX-License-Identifier: Apache-2.0
"""What needs `cryptography` is done in a process of its own, with the same outcome as here."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.processes import call
from appliance.netcore.plan.codec import PlanError
from appliance.netcore.plan.token import parse_token
from appliance.paths import Paths
from appliance.sync import hands
from appliance.sync.control import ControlClient
from appliance.sync.errors import IdentityError
from appliance.sync.hands import APART, HERE, Hands
from appliance.sync.identity import load_identity
from tests.fakes.control_endpoint import FakeControlEndpoint
from tests.unit.plan.plans import SHOP1
from tests.unit.sync.devices import document, plan_keys

OTHER = msgspec.structs.replace(SHOP1, name="shop9")


@pytest.mark.parametrize("who", [HERE, APART], ids=["here", "apart"])
def test_a_plan_is_believed_or_refused_alike(who: Hands) -> None:
    good = document(3)
    assert who.verify(good, plan_keys(), SHOP1) == HERE.verify(good, plan_keys(), SHOP1)
    for bad, reason in (
        (good.replace(b'"generation":3', b'"generation":4'), "digest does not match"),
        (b"{}", "unknown plan schema"),
        (b"\xff\n", "not JSON"),
    ):
        with pytest.raises(PlanError, match=reason):
            who.verify(bad, plan_keys(), SHOP1)
    with pytest.raises(PlanError, match="does not trust"):
        who.verify(good, {}, SHOP1)
    with pytest.raises(PlanError, match="this device is"):
        who.verify(good, plan_keys(), OTHER)


def test_where_no_process_can_be_had_the_plan_is_verified_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hands, "own_command", lambda: ("/nonexistent/orillo",))
    assert APART.verify(document(3), plan_keys(), SHOP1).generation == 3
    assert "verified in the daemon itself" in caplog.text


async def test_enrolment_and_renewal_apart(tmp_path: Path) -> None:
    (tmp_path / "cloud").mkdir()
    endpoint = FakeControlEndpoint(tmp_path / "cloud")
    await endpoint.start()
    paths = Paths(tmp_path / "device")
    token = parse_token(endpoint.token("shop1"))
    device = await APART.enroll(paths, token, "")
    assert load_identity(paths) == device
    with pytest.raises(DoorError, match="used before") as refused:
        await APART.enroll(paths, token, "")
    assert token.secret not in str(refused.value)
    before = device.certificate.read_bytes()
    client = ControlClient(device)
    renewed = await APART.renew(paths, device, client)
    assert renewed.identity == device.identity
    assert renewed.certificate.read_bytes() != before
    other = replace(device, identity=OTHER)
    with pytest.raises(IdentityError, match="enrolled anew meanwhile"):
        await APART.renew(paths, other, client)
    await client.close()
    await endpoint.stop()


def test_a_job_that_is_none_is_an_error_of_the_process() -> None:
    with pytest.raises(DoorError, match="ended with status"):
        call(*hands.own_command(), "apart", input=b"no order\n")
