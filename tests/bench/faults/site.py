# SPDX-License-Identifier: Apache-2.0
"""Faults of what the site gets: firewall and rules of others, pods, services."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.faults.fault import EDGE, Fault, Inject, commands, nothing, ruleset
from tests.lab.command import attempt, run
from tests.lab.demo import manifests
from tests.lab.demo.topology import CACHE, SERVICE_NAME
from tests.lab.demo.world import World
from tests.lab.device import Daemon
from tests.lab.process import Process
from tests.lab.wait import until


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


@contextmanager
def fought_over(world: World) -> Iterator[None]:
    """Another program takes a route of ours away, again and again."""
    device = world.devices[EDGE]
    words = ("unreachable", "10.255.0.0/16", "table", "7410", "metric", "4000000")

    def there() -> bool:
        return "10.255.0.0/16" in run("ip", "route", "show", "table", "7410", ns=device.ns)

    for _ in range(4):
        run("ip", "route", "del", *words, ns=device.ns)
        until(there, "the agent puts the route back", 20)
    try:
        yield
    finally:
        # What it remembers of this would be told for five minutes.
        device.kill(Daemon.AGENT)
        device.start(Daemon.AGENT)


@contextmanager
def no_directory(world: World) -> Iterator[None]:
    """A file stands where the directory of conflists was, so that nothing can be written there."""
    directory = world.devices[EDGE].conflist.parent
    away = directory.with_name("net.d.away")
    directory.rename(away)
    directory.write_text("")
    try:
        yield
    finally:
        directory.unlink()
        away.rename(directory)


@contextmanager
def no_conflist(world: World) -> Iterator[None]:
    """Somebody removed our file; the agent looks once in 30 seconds."""
    world.devices[EDGE].conflist.unlink()
    yield


@contextmanager
def service_without_pods(world: World) -> Iterator[None]:
    """A service that nothing answers for, anywhere."""
    device = world.devices[EDGE]
    world.operator.apply(manifests.write(world.manifests / "ghost.yaml", _GHOST))
    until(lambda: "default/ghost:http" in device.status().get("services", {}), "the service is there", 20)
    try:
        yield
    finally:
        world.operator.must("delete", "service", "default/ghost")


_GHOST = """apiVersion: v1
kind: Service
metadata: {name: ghost, namespace: default}
spec:
  clusterIP: 10.96.0.66
  selector: {app: ghost}
  ports: [{name: http, protocol: TCP, port: 80, targetPort: 80}]
"""


@contextmanager
def wrong_record(world: World) -> Iterator[None]:
    """Another program tells the cache its own address for a service, as often as the agent ours."""
    device = world.devices[EDGE]
    control = f"unbound-control -c {device.run_directory / 'unbound.conf'}"
    tell = f"{control} local_data_remove {SERVICE_NAME}; {control} local_data {SERVICE_NAME} A 10.96.0.99"
    command = ("sh", "-c", f"while :; do {tell}; sleep 0.2; done")
    other = Process(command, world.workdir / "wrong-record.log", ns=device.ns)
    try:
        until(lambda: "10.96.0.99" in _answer(world), "the cache tells it", 10)
        yield
    finally:
        other.kill()
        # As the remedy has it; by itself the agent reads all records anew at its next audit.
        device.kill(Daemon.AGENT)
        device.start(Daemon.AGENT)


def _answer(world: World) -> str:
    words = ("dig", "+short", "+time=1", "+tries=1", f"@{CACHE}", SERVICE_NAME)
    return attempt(*words, ns=world.devices[EDGE].ns).out


def neighbour(name: str) -> Inject:
    """A program of this name runs on the device."""

    @contextmanager
    def inject(world: World) -> Iterator[None]:
        program = world.workdir / name
        shutil.copy("/bin/sleep", program)
        running = Process((str(program), "600"), world.workdir / f"{name}.log", ns=world.devices[EDGE].ns)
        try:
            yield
        finally:
            running.kill()

    return inject


def _cni_failed(world: World) -> bool:
    return bool(world.devices[EDGE].status().get("tables", {}).get("cni", {}).get("failed"))


bridge_down = commands(EDGE, ("ip link set br-orillo down",), ("ip link set br-orillo up",))

SITE = (
    Fault(
        "forwarding-off",
        "sysctl net.ipv4.ip_forward=0",
        "forwarding-off",
        commands(EDGE, ("sysctl -qw net.ipv4.ip_forward=0",), ()),
    ),
    Fault(
        "lan-in-the-fabric",
        "an address of the fabric's pool on the uplink",
        "route-overlap",
        commands(
            EDGE,
            ("ip address add 10.200.77.1/24 dev uplink",),
            ("ip address del 10.200.77.1/24 dev uplink",),
        ),
    ),
    Fault("fought-over", "a route of ours is removed four times", "drift-repeated", fought_over),
    Fault("no-cni-directory", "a file in place of /etc/cni/net.d", "table-failed", no_directory, _cni_failed),
    Fault(
        "no-own-table",
        "nft delete table inet orillo",
        "firewall-own-missing",
        commands(EDGE, ("nft delete table inet orillo",), ()),
    ),
    Fault("no-conflist", "the conflist is removed", "cni-missing", no_conflist),
    Fault(
        "no-cni-plugins",
        "an empty /usr/lib/cni for the doctor",
        "cni-plugin-missing",
        nothing,
        mounts=(("/nonexistent", "/usr/lib/cni"),),
    ),
    Fault("ghost-service", "a Service without pods", "service-unanswered", service_without_pods),
    Fault("wrong-record", "another address in the cache", "dns-records-wrong", wrong_record),
    Fault("other-ipsec", "a process called pluto", "neighbour-charon", neighbour("pluto")),
    Fault("firewalld", "a process called firewalld", "neighbour-firewall", neighbour("firewalld")),
    Fault("kube-proxy", "a process called kube-proxy", "neighbour-kube-proxy", neighbour("kube-proxy")),
    Fault(
        "network-manager", "a process called NetworkManager", "neighbour-network", neighbour("NetworkManager")
    ),
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
