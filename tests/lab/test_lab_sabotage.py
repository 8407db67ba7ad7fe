# SPDX-License-Identifier: Apache-2.0
"""The demo's checks can fail: each is run on a product that is made to break that very promise.

All share one demo, since it takes its time to come up. Each test puts right again what it broke, but for the
leak at the end, which stays in the capture for `encrypted` to find.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.command import attempt, run
from tests.lab.demo import manifests
from tests.lab.demo.build import build
from tests.lab.demo.check import CheckFailedError
from tests.lab.demo.checks import crash, enrolment, names, policy, purging, reach, services, wire
from tests.lab.demo.world import World
from tests.lab.device import Daemon, Device
from tests.lab.namespaces import Namespaces
from tests.lab.product import Product
from tests.lab.wait import TimedOutError, until

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The running demo."""
    with tempfile.TemporaryDirectory(prefix="orillo-lab-") as directory:
        namespaces = Namespaces(Path(directory))
        try:
            yield build(namespaces, Product(), lambda _: None)
        finally:
            namespaces.remove()


@contextmanager
def also_killing(device: Device, and_then: Callable[[], None]) -> Iterator[None]:
    """Whenever a check kills a daemon of this device, more happens than it asked for."""
    kill = device.kill

    def kill_and_more(*which: Daemon) -> None:
        kill(*which)
        and_then()

    device.kill = kill_and_more  # type: ignore[method-assign]
    try:
        yield
    finally:
        device.kill = kill  # type: ignore[method-assign]


def test_enrolled_finds_a_stray_key(world: World) -> None:
    """A copy of shop1's key lies about, in a file of another name."""
    (key,) = [path for path in world.devices["shop1"].state.rglob("*") if _is_key(path)]
    stray = world.workdir / "operator/logs/stray.txt"
    shutil.copyfile(key, stray)
    with pytest.raises(CheckFailedError, match=r"stray\.txt holds the private key of shop1"):
        enrolment.enrolled(world)
    stray.unlink()
    assert "6 devices" in enrolment.enrolled(world)


def _is_key(path: Path) -> bool:
    return path.is_file() and b"PRIVATE KEY" in path.read_bytes()


def test_not_in_community_notices_a_way_through(world: World) -> None:
    """The depot was let in by somebody."""
    everybody = manifests.community(("shop1", "shop2", "depot"))
    world.operator.apply(manifests.write(world.manifests / "community.yaml", everybody))
    depot, shop = world.pods["depot"], world.pods["shop1"]
    until(lambda: depot.ping(shop.v4, count=1), "the depot reaches shop1", 10)
    with pytest.raises(CheckFailedError, match="depot reaches shop1"):
        reach.not_in_community(world)
    two = manifests.community(("shop1", "shop2"))
    world.operator.apply(manifests.write(world.manifests / "community.yaml", two))
    until(lambda: not depot.ping(shop.v4, count=1), "the depot is shut out", 10)


def test_policy_change_notices_that_nothing_changes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`apply` says yes and does nothing."""
    monkeypatch.setattr(world.operator, "apply", lambda *_: None)
    with pytest.raises(TimedOutError, match="depot reaches shop1"):
        policy.policy_change(world)


def test_service_nearest_notices_the_wrong_backend(world: World) -> None:
    """shop1's own backend is dead before the check begins."""
    world.pods[services.LOCAL].die()
    with pytest.raises(TimedOutError, match="shop1-web answers"):
        services.service_nearest(world)
    world.pods[services.LOCAL].serve()
    assert "10/10" in services.service_nearest(world)


def test_dns_notices_a_changed_resolv_conf(world: World) -> None:
    """Somebody points the depot at its own cache."""
    file = Path(f"/etc/netns/{world.devices['depot'].ns}/resolv.conf")
    before = file.read_text()
    file.write_text("nameserver 169.254.20.10\n")
    with pytest.raises(CheckFailedError, match=r"depot's resolv\.conf was changed"):
        names.dns(world)
    file.write_text(before)
    assert "untouched" in names.dns(world)


def test_agent_crash_notices_torn_tunnels(world: World) -> None:
    """The agent takes charon with it, which comes back a moment later."""
    shop = world.devices["shop1"]

    def charon_too() -> None:
        shop.daemons[Daemon.CHARON].kill()
        shop.start(Daemon.CHARON)

    with (
        also_killing(shop, charon_too),
        pytest.raises((CheckFailedError, TimedOutError), match=r"lost|replies"),
    ):
        crash.agent_crash(world)
    if not shop.alive(Daemon.AGENT):
        shop.start(Daemon.AGENT)
    world.wait_for_tunnels("shop1", 30)


def test_fail_closed_and_encrypted_see_a_leak(world: World) -> None:
    """With charon dead, shop1's own routes and its firewall are gone too, and nobody repairs them."""
    shop = world.devices["shop1"]

    def open_the_gates() -> None:
        shop.daemons[Daemon.AGENT].kill()
        for family in ("-4", "-6"):
            attempt("ip", family, "rule", "del", "pref", "7410", ns=shop.ns)
        run("nft", "delete", "table", "inet", "orillo", ns=shop.ns)

    with (
        also_killing(shop, open_the_gates),
        pytest.raises(CheckFailedError, match="inner addresses on shop1's"),
    ):
        wire.fail_closed(world)
    shop.start(Daemon.AGENT)
    world.wait_for_tunnels("shop1", 30)
    with pytest.raises(CheckFailedError, match="inner addresses at the internet"):
        wire.encrypted(world)


def test_purge_notices_what_it_took_from_others(world: World) -> None:
    """Another program's nft table is gone from the depot afterwards. Nothing is left to test after this."""
    run("nft", "delete", "table", "inet", "bystander", ns=world.devices["depot"].ns)
    with pytest.raises(CheckFailedError, match="depot: firewall: lost"):
        purging.purge(world)
