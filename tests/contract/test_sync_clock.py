# SPDX-License-Identifier: Apache-2.0
"""A device with no clock of its own, far behind the operator's, whose certificates are of today."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.netcore.plan.token import parse_token
from appliance.paths import Paths
from appliance.sync import tls
from appliance.sync.control import ControlClient
from appliance.sync.enroll import enroll
from appliance.sync.errors import TlsError
from appliance.sync.identity import load_identity
from tests.bench.faults.board import faketime
from tests.fakes.control_endpoint import FakeCa, FakeControlEndpoint

_YEARS = timedelta(days=20 * 365)


@pytest.fixture
async def endpoint(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[FakeControlEndpoint]:
    (tmp_path / "cloud").mkdir()
    made = FakeControlEndpoint(tmp_path / "cloud", ca=FakeCa(request.param))
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize("endpoint", [_YEARS], indirect=True)
async def test_device_that_is_years_behind_enrols_and_gets_its_plan(
    endpoint: FakeControlEndpoint, tmp_path: Path
) -> None:
    """To OpenSSL by itself, each certificate here has not begun."""
    paths = Paths(tmp_path / "device")
    device = await enroll(paths, parse_token(endpoint.token("shop1")))
    assert device.not_before > datetime.now(UTC) + timedelta(days=10 * 365)
    endpoint.publish("shop1", 1)
    client = ControlClient(device)
    try:
        assert await client.plan(None, 0) is not None
    finally:
        await client.close()
    assert load_identity(paths) == device


@pytest.mark.parametrize("endpoint", [-_YEARS], indirect=True)
async def test_certificate_that_is_over_is_refused(endpoint: FakeControlEndpoint, tmp_path: Path) -> None:
    with pytest.raises(TlsError, match="not valid at this time"):
        await enroll(Paths(tmp_path / "device"), parse_token(endpoint.token("shop1")))


@pytest.mark.parametrize("endpoint", [timedelta()], indirect=True)
async def test_clock_that_was_set_back_revives_no_certificate(
    endpoint: FakeControlEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the device's floor it is over, whatever the host's clock says."""
    device = await enroll(Paths(tmp_path / "device"), parse_token(endpoint.token("shop1")))
    later = tls.context
    monkeypatch.setattr(tls, "context", lambda now: later(lambda: now() + _YEARS))
    client = ControlClient(device)
    with pytest.raises(TlsError, match="not valid at this time"):
        await client.plan(None, 0)
    await client.close()


@pytest.mark.lab
@pytest.mark.parametrize("endpoint", [timedelta()], indirect=True)
async def test_command_enrols_on_a_device_whose_clock_says_1990(
    endpoint: FakeControlEndpoint, tmp_path: Path
) -> None:
    """The whole program, OpenSSL in it too, sees another time (libfaketime)."""
    environment = {
        **os.environ,
        "LD_PRELOAD": faketime(),
        "FAKETIME": "1990-01-01 00:00:00",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "appliance.cli.main", "--root", str(tmp_path / "device")),
        *("enroll", endpoint.token("shop1")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, said
    device = load_identity(Paths(tmp_path / "device"))
    assert device is not None
    assert device.not_after > datetime.now(UTC)
