# SPDX-License-Identifier: Apache-2.0
"""`purge`: a host is afterwards what it was before, with everything that others have on it."""

from concurrent.futures import ThreadPoolExecutor

from tests.lab.command import run
from tests.lab.demo import bystander
from tests.lab.demo.check import expect
from tests.lab.demo.world import World
from tests.lab.device import Daemon, Device
from tests.lab.residue import differences, look

_AT_ONCE = 2


def purge(world: World) -> str:
    """`orillo purge` on every device, once its pods are drained and its agent is stopped, as it asks for.

    charon and unbound still run then: ending them is the purge's business.
    """
    for pod in world.pods.values():
        pod.remove()
    ours = {
        name: len(differences(world.before[name], look(world.devices[name].ns))) for name in world.devices
    }
    expect(all(ours.values()), f"nothing of ours to purge on {[n for n, count in ours.items() if not count]}")
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        list(workers.map(_purge, world.devices.values()))
    for device in world.devices.values():
        _see_nothing_left(world, device)
    undone = f"{sum(ours.values())} lines of kernel state on {len(ours)} devices undone"
    return f"{undone}; what others have there is unchanged"


def _purge(device: Device) -> None:
    early = device.call("purge")
    expect(not early.ok, f"orillo purge on {device.name} did not mind the agent, which puts all back")
    device.stop(Daemon.AGENT)
    expect(device.alive(Daemon.CHARON) and device.alive(Daemon.DNS), f"{device.name} has no daemons to end")
    result = device.call("purge", timeout=60)
    expect(result.ok, f"orillo purge on {device.name} ended with {result.code}: {result.text}")


def _see_nothing_left(world: World, device: Device) -> None:
    left = differences(world.before[device.name], look(device.ns))
    expect(not left, f"{device.name}: {'; '.join(left)}")
    expect(bystander.has_kept_its_file(device), f"{device.name}: another's CNI file was changed or removed")
    expect(not device.conflist.exists(), f"{device.name}: our conflist is still there")
    running = world.namespaces.pids(device.name)
    expect(not running, f"{device.name}: processes {running} still run")
    sockets = run("ss", "-Hlnptu", ns=device.ns).strip()
    expect(not sockets, f"{device.name}: still listening: {sockets}")
    files = [path for path in (device.root / "run").rglob("*") if path.is_socket()]
    expect(not files, f"{device.name}: sockets left: {files}")
