# SPDX-License-Identifier: Apache-2.0
"""`orillo status`: how the device stands, on a screen of 80 columns or as JSON."""

from collections.abc import Iterator

from appliance.cli.doctor_words import VERDICT, language, wrap
from appliance.cli.text import clip, print_json, table
from appliance.netcore.health.words import say, seen
from appliance.netcore.plan.values import builtins
from appliance.paths import Paths
from appliance.status import client
from appliance.status.health import conditions, worst
from appliance.status.model import Snapshot, State, Tunnel
from appliance.status.words import ago, duration, size


def run(paths: Paths, *, json: bool) -> int:
    """Ask the daemon and print its answer; the exit code is the verdict."""
    snapshot = client.status(paths.status_socket)
    found = conditions(snapshot)
    health, code = VERDICT[worst(found)]
    if json:
        print_json(builtins(snapshot) | {"health": health, "conditions": builtins(found)})
        return code
    for line in render(snapshot, health):
        print(line)
    return code


def render(snapshot: Snapshot, health: str) -> Iterator[str]:
    """The summary, one line after the other, none longer than 80 columns."""
    yield clip(f"{_who(snapshot)}: {health}")
    tongue = language()
    for condition in conditions(snapshot):
        words = say(condition.code, condition.about, tongue)
        yield from wrap(words.text, "  ! ", "    ")
        if condition.evidence:
            yield from wrap(seen(condition.code, condition.evidence, tongue), "    ", "    ")
        yield from wrap(words.action, "    -> ", "       ")
    if snapshot.state is State.UNENROLLED:
        return
    yield ""
    for name, value in _facts(snapshot):
        yield clip(f"{name:<9}{value}")
    for part in (_tunnels(snapshot), _services(snapshot), _tables(snapshot)):
        if len(part) > 1:
            yield ""
            yield from part


def _who(snapshot: Snapshot) -> str:
    if snapshot.identity is None:
        return "this device"
    role = f" ({snapshot.role})" if snapshot.role else ""
    return f"{snapshot.identity.name}{role} in {snapshot.identity.cluster}"


def _facts(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    if snapshot.state is State.RUNNING:
        issued = ago(snapshot.plan_issued_at, snapshot.at)
        yield "plan", f"generation {snapshot.generation}, {snapshot.digest[:12]}, issued {issued}"
    control = snapshot.control
    how = "connected" if control.connected else "not connected"
    since = f" since {ago(control.since, snapshot.at)}" if control.since else ""
    yield "control", f"{how}{since}, {control.url}"
    if snapshot.ipsec:
        reason = f" ({snapshot.ipsec_reason})" if snapshot.ipsec_reason else ""
        yield "ipsec", f"{snapshot.ipsec}{reason}"
    if snapshot.hub:
        yield "hub", snapshot.hub
    versions = ", ".join(f"{name} {version}" for name, version in sorted(snapshot.versions.items()))
    if versions:
        yield "versions", versions


def _tunnels(snapshot: Snapshot) -> list[str]:
    head = ("TUNNEL", "STATE", "RTT", "LOSS", "SA AGE", "IN", "OUT", "REASON")
    rows = [_tunnel(name, tunnel) for name, tunnel in sorted(snapshot.tunnels.items())]
    return table(head, rows)


def _tunnel(name: str, tunnel: Tunnel) -> tuple[str, ...]:
    return (
        f"{name} *" if tunnel.chosen else name,
        "up" if tunnel.up else "down",
        "-" if tunnel.rtt is None else f"{tunnel.rtt * 1000:.1f} ms",
        "-" if tunnel.loss is None else f"{tunnel.loss:.0%}",
        "-" if tunnel.established is None else duration(tunnel.established),
        size(tunnel.bytes_in),
        size(tunnel.bytes_out),
        tunnel.reason,
    )


def _services(snapshot: Snapshot) -> list[str]:
    head = ("SERVICE", "ANSWERED BY", "ALIVE", "ADDRESS")
    rows = [
        (
            name,
            str(port.tier or "nobody"),
            f"{sum(b.alive for b in port.backends)}/{len(port.backends)}",
            f"{', '.join(port.addresses)} {port.protocol}/{port.port}",
        )
        for name, port in sorted(snapshot.services.items())
    ]
    return table(head, rows)


def _tables(snapshot: Snapshot) -> list[str]:
    head = ("TABLE", "APPLIED", "WAITING", "FAILED", "REASON")
    rows = [
        (name, str(count.applied), str(count.waiting), str(count.failed), count.reason)
        for name, count in sorted(snapshot.tables.items())
    ]
    return table(head, rows)
