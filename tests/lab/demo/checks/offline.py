# SPDX-License-Identifier: Apache-2.0
"""A site without its uplink: it goes on by itself, quietly, and even comes up from cold."""

import shutil
import time
from dataclasses import dataclass

from tests.lab.demo import bystander
from tests.lab.demo.check import expect
from tests.lab.demo.checks.services import LOCAL
from tests.lab.demo.topology import SERVICE_NAME, SERVICE_PORT
from tests.lab.demo.world import World
from tests.lab.device import Daemon, Device
from tests.lab.wait import hold, until

#: The promise for tunnels after the uplink is back, in seconds.
_HEALED = 10.0
#: How long its quiet is measured, in seconds, and what counts as quiet: the share of one processor, lines in
#: the logs of agent and cache, and charon's tries to reach a connector, which each take their time-outs.
_WATCHED = 8.0
_NEAR_ZERO = 0.05
_MOST_LINES = 4
_MOST_TRIES = 6
_TRY = b"initiating IKE_SA"


def cut_uplink(world: World) -> str:
    """shop1's uplink swallows everything, and later does not."""
    shop, uplink = world.devices["shop1"], world.uplink("shop1")
    remote = world.stream("shop1", world.pods["cloud"].v4)
    remote.wait_for_reply(5)
    uplink.cut()
    try:
        until(lambda: not world.hub_of("shop1"), "shop1 notices that both hubs are gone", 20, 0.5)
        _site_works(world)
        unrest = _unrest(shop)
    finally:
        uplink.heal()
    healed = remote.wait_for_reply(2 * _HEALED)
    remote.stop()
    expect(unrest.load <= _NEAR_ZERO, f"{unrest}")
    expect(unrest.lines <= _MOST_LINES and unrest.tries <= _MOST_TRIES, f"an error loop: {unrest}")
    expect(healed <= _HEALED, f"{healed:.1f} s without tunnels after the uplink was back")
    world.wait_for_tunnels("shop1", 20)
    return f"pods, names and service work; {unrest}; tunnels back in {healed:.1f} s"


def _site_works(world: World) -> None:
    """Local pods by address, the service by name, both by both families."""
    pod, neighbour = world.pods["shop1"], world.pods[LOCAL]
    for address in neighbour.addresses:
        expect(pod.ping(address), f"{pod.name} does not reach {LOCAL} at {address}")
    for family in (4, 6):
        answer = pod.who_answers(SERVICE_NAME, SERVICE_PORT, family)
        expect(answer == LOCAL, f"{SERVICE_NAME} by IPv{family}: {answer or 'no answer'}")


@dataclass(frozen=True)
class Unrest:
    """What a device did in a time in which it could do nothing: all daemons' load, log lines, IKE tries."""

    load: float
    lines: int
    tries: int

    def __str__(self) -> str:
        words = f"{self.load:.1%} of a processor, {self.lines} lines of log, {self.tries} IKE tries"
        return f"in {_WATCHED:g} s {words}"


def _unrest(shop: Device) -> Unrest:
    """Watch the daemons for a while, which all have to run."""
    cpu, lines, tries, start = shop.cpu(), _log_lines(shop), _tries(shop), time.monotonic()
    hold(lambda: all(shop.alive(daemon) for daemon in Daemon), "shop1's daemons run", _WATCHED, 0.5)
    used = sum(seconds - cpu[daemon] for daemon, seconds in shop.cpu().items())
    load = used / (time.monotonic() - start)
    return Unrest(load, _log_lines(shop) - lines, _tries(shop) - tries)


def _log_lines(shop: Device) -> int:
    logs = [shop.daemons[daemon].log for daemon in (Daemon.AGENT, Daemon.DNS)]
    return sum(log.read_bytes().count(b"\n") for log in logs)


def _tries(shop: Device) -> int:
    return shop.daemons[Daemon.CHARON].log.read_bytes().count(_TRY)


def cold_boot_offline(world: World) -> str:
    """shop1 loses its power and its uplink, and gets only its power back."""
    shop, uplink = world.devices["shop1"], world.uplink("shop1")
    pods = [pod for pod in world.pods.values() if pod.device is shop]
    uplink.cut()
    try:
        shop.kill()
        for pod in pods:
            pod.lose_power()
        world.namespaces.rebuild(world.topology, shop.name)
        shutil.rmtree(shop.root / "run")
        bystander.settle(shop)
        start = time.monotonic()
        shop.start()
        for pod in pods:
            pod.clear_away()
            pod.start()
        until(lambda: _serves(world), "the service answers by name from the plan on disk", 20, 0.2)
        booted = time.monotonic() - start
        _site_works(world)
    finally:
        uplink.heal()
    cloud = world.pods["cloud"].v4
    until(lambda: world.pods["shop1"].ping(cloud, count=1), "shop1 reaches the cloud again", 30)
    world.wait_for_tunnels("shop1", 20)
    return f"pods, names and local service {booted:.1f} s after power on, no uplink; tunnels back later"


def _serves(world: World) -> bool:
    return all(
        world.pods["shop1"].who_answers(SERVICE_NAME, SERVICE_PORT, family) == LOCAL for family in (4, 6)
    )
