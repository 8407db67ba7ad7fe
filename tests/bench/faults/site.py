# SPDX-License-Identifier: Apache-2.0
"""Faults of what the site gets: firewall and rules of others, pods, services."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.faults.fault import EDGE, Fault, commands, ruleset
from tests.lab.demo.world import World


@contextmanager
def other_conflist(world: World) -> Iterator[None]:
    """Another network's file sorts before ours."""
    file = world.devices[EDGE].conflist.parent / "00-other.conflist"
    file.write_text('{"cniVersion": "1.0.0", "name": "other", "plugins": [{"type": "loopback"}]}\n')
    try:
        yield
    finally:
        file.unlink()


@contextmanager
def addresses_used_up(world: World) -> Iterator[None]:
    """A lease of host-local for every address of the site."""
    leases = next(path for path in (world.devices[EDGE].state / "cni").iterdir() if path.is_dir())
    own = world.pods[EDGE].v4
    base = str(own).rpartition(".")[0]
    made = [leases / f"{base}.{last}" for last in range(2, 255) if not (leases / f"{base}.{last}").exists()]
    for file in made:
        file.write_text("gone\neth0")
    try:
        yield
    finally:
        for file in made:
            file.unlink()


@contextmanager
def dead_backend(world: World) -> Iterator[None]:
    """The pod on the device that answers for the service stops listening."""
    pod = world.pods["shop1-web"]
    pod.die()
    try:
        yield
    finally:
        pod.serve()


bridge_down = commands(EDGE, ("ip link set br-orillo down",), ("ip link set br-orillo up",))

SITE = (
    Fault(
        "firewall-forward",
        "a table as Docker leaves it: FORWARD with policy drop",
        "firewall-foreign-forward",
        ruleset(EDGE, "ip", "chain FORWARD { type filter hook forward priority 0; policy drop; }"),
    ),
    Fault(
        "firewall-input",
        "another table with an input chain of policy drop",
        "firewall-foreign-input",
        ruleset(
            EDGE, "inet", 'chain in { type filter hook input priority 5; policy drop; iifname "lo" accept; }'
        ),
    ),
    Fault(
        "rule-before-ours",
        "another program's rule sends the fabric to the main table",
        "rules-bypassed",
        commands(
            EDGE,
            ("ip rule add pref 100 to 10.255.0.0/16 lookup main",),
            ("ip rule del pref 100",),
        ),
    ),
    Fault("other-conflist", "a CNI file that sorts first", "cni-shadowed", other_conflist),
    Fault("no-pod-addresses", "a lease for every address", "pod-addresses-used-up", addresses_used_up),
    Fault("backend-dead", "the local pod of a service ends", "service-backend-dead", dead_backend),
    Fault(
        "bridge-down",
        "ip link set br-orillo down",
        "pod-bridge-down",
        bridge_down,
    ),
)
