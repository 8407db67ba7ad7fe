# SPDX-License-Identifier: Apache-2.0
"""`dns`: cluster names and the world's through the device's cache, with nobody's settings touched."""

from functools import partial
from pathlib import Path

from tests.lab.demo.build import resolvers_of_this_machine
from tests.lab.demo.check import expect
from tests.lab.demo.topology import (
    DOMAIN,
    EDGES,
    NAME_SERVER,
    OUTSIDE_ADDRESSES,
    OUTSIDE_NAME,
    SERVICE_ADDRESSES,
    SERVICE_NAME,
    WORKER,
)
from tests.lab.demo.world import World
from tests.lab.pods import Pod
from tests.lab.topology import Address
from tests.lab.wait import until


def dns(world: World) -> str:
    """On every edge and on the worker: both kinds of names, by both kinds of records.

    Who changed a resolv.conf comes first: an agent that reads it is right to have no name server then.
    """
    for device in world.devices.values():
        found = Path(f"/etc/netns/{device.ns}/resolv.conf").read_text()
        expect(found == f"nameserver {NAME_SERVER}\n", f"{device.name}'s resolv.conf was changed: {found!r}")
    expect(
        resolvers_of_this_machine() == world.machine_resolvers, "this machine's /etc/resolv.conf was changed"
    )
    for name in (*EDGES, "cloud"):
        _resolves(world, name, SERVICE_NAME, SERVICE_ADDRESSES)
        _resolves(world, name, OUTSIDE_NAME, OUTSIDE_ADDRESSES)
        nothing = world.pods[name].dig(f"nobody.default.svc.{DOMAIN}")
        expect(not nothing, f"{name} resolves a name that does not exist to {nothing}")
    places = ", ".join((*EDGES, WORKER))
    return f"{SERVICE_NAME} and {OUTSIDE_NAME}, A and AAAA, on {places}; resolv.conf untouched"


def _resolves(world: World, pod: str, name: str, addresses: tuple[Address, ...]) -> None:
    for kind, version in (("A", 4), ("AAAA", 6)):
        expected = sorted(str(address) for address in addresses if address.version == version)
        is_so = partial(_answers, world.pods[pod], name, kind, expected)
        until(is_so, f"{pod} resolves {name} {kind} to {expected}", 8, 0.2)


def _answers(pod: Pod, name: str, kind: str, expected: list[str]) -> bool:
    return pod.dig(name, kind) == expected
