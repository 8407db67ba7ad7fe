# SPDX-License-Identifier: Apache-2.0
"""`orillo enroll` as a user calls it, against an endpoint on loopback; and following it."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance.netcore.plan.exchange import Report
from appliance.paths import Paths
from appliance.sync.control import ControlClient
from appliance.sync.follow import Follower, Listeners
from appliance.sync.identity import DeviceIdentity, load_identity
from appliance.sync.store import Held
from tests.fakes.control_endpoint import FakeControlEndpoint


async def orillo(root: Path, *words: str, feed: str = "") -> tuple[int, str, str]:
    """Run the command as a program of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "appliance.cli.main", "--root", str(root), *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(feed.encode()), 30)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)


async def test_enrolling_by_command(endpoint: FakeControlEndpoint, tmp_path: Path) -> None:
    token = endpoint.token("shop1")
    code, out, err = await orillo(tmp_path / "device", "enroll", "-", "-o", "json", feed=f"{token}\n")
    assert (code, err) == (0, "")
    device = load_identity(Paths(tmp_path / "device"))
    assert device is not None
    assert json.loads(out)["identity"]["instance"] == device.identity.instance
    again, _, err = await orillo(tmp_path / "other", "enroll", token)
    assert again == 3
    assert err.startswith("orillo: this token was used before")
    assert len(err.splitlines()) == 1


async def test_enrolling_in_a_container(endpoint: FakeControlEndpoint, tmp_path: Path) -> None:
    """The token is in a file, and a pod that starts again asks for no second identity."""
    file = tmp_path / "token"
    words = ("enroll", "--once", "--name", "shop1", f"@{file}", "-o", "json")
    code, _, err = await orillo(tmp_path / "device", *words)
    assert (code, "can't read the token" in err) == (3, True)
    file.write_text(endpoint.token("shop1") + "\n")
    seen = []
    for _ in range(2):
        code, out, err = await orillo(tmp_path / "device", *words)
        assert (code, err) == (0, "")
        seen.append(json.loads(out)["identity"])
    assert seen[0] == seen[1]
    # Not the same device any more: the token is asked, which is spent.
    other = ("enroll", "--once", "--name", "shop2", f"@{file}")
    assert "used before" in (await orillo(tmp_path / "device", *other))[2]
    assert "DNS label" in (await orillo(tmp_path / "device", "enroll", "--name", "Shop 2", f"@{file}"))[2]


def report_of(device: DeviceIdentity) -> Callable[[], Report]:
    return lambda: Report(
        identity=device.identity, agent="0", at=datetime.now(UTC), generation=0, digest="", ipsec=""
    )


async def test_following_over_the_network(endpoint: FakeControlEndpoint, tmp_path: Path) -> None:
    """Plans come, the endpoint goes and comes back, a certificate is renewed under way."""
    code, _, err = await orillo(tmp_path / "device", "enroll", endpoint.token("shop1"))
    assert code == 0, err
    paths = Paths(tmp_path / "device")
    device = load_identity(paths)
    assert device is not None
    plans = list[Held]()
    renewed: list[DeviceIdentity] = []
    endpoint.publish("shop1", 1)
    old = replace(device, not_before=device.not_before - timedelta(days=400))
    tell = Listeners(
        report=report_of(device),
        keep=lambda: plans[-1] if plans else None,
        plan=plans.append,
        identity=renewed.append,
        control=lambda: None,
    )
    follower = Follower(paths, old, None, ControlClient, tell)
    running = asyncio.ensure_future(follower.run())
    try:
        await until(lambda: len(plans) == 1 and follower.control.connected)
        await until(lambda: len(renewed) == 1)
        assert load_identity(paths) == renewed[0]
        await until(lambda: bool(endpoint.reports("shop1")))
        endpoint.publish("shop1", 2)
        await until(lambda: len(plans) == 2)
        await endpoint.stop()
        await until(lambda: not follower.control.connected)
        await endpoint.start()
        endpoint.publish("shop1", 3)
        follower.wake()
        await until(lambda: len(plans) == 3)
        assert follower.control.error == ""
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [held.plan.generation for held in plans] == [1, 2, 3]
