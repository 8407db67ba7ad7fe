# SPDX-License-Identifier: Apache-2.0
"""The snapshot as Prometheus metrics (text exposition format 0.0.4). Pure.

Names and units follow https://prometheus.io/docs/practices/naming/: base units, `_total` for counters.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from appliance.status.health import conditions
from appliance.status.model import Severity, Snapshot, State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]


def render(snapshot: Snapshot) -> str:
    """All metrics, each with its help and type."""
    lines: list[str] = []
    for name, kind, text, samples in _families(snapshot):
        if samples:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _families(snapshot: Snapshot) -> Iterator[tuple[str, str, str, list[Sample]]]:
    yield from _device(snapshot)
    yield from _tunnels(snapshot)
    yield from _site(snapshot)
    found = conditions(snapshot)
    yield (
        "orillo_conditions",
        "gauge",
        "Active conditions by severity.",
        [({"severity": one}, float(sum(c.severity is one for c in found))) for one in Severity],
    )
    yield (
        "orillo_condition",
        "gauge",
        "1 for each active condition.",
        [
            ({"code": code, "severity": grave}, 1.0)
            for code, grave in sorted({(c.code, c.severity) for c in found})
        ],
    )


def _device(snapshot: Snapshot) -> Iterator[tuple[str, str, str, list[Sample]]]:
    identity, version = snapshot.identity, snapshot.versions.get("orillo", "")
    about = {"version": version, "role": str(snapshot.role or ""), "ipsec": snapshot.ipsec}
    names = {"name": identity.name, "cluster": identity.cluster} if identity else {"name": "", "cluster": ""}
    yield "orillo_info", "gauge", "What this device is; always 1.", [(names | about, 1.0)]
    enrolled = float(snapshot.state is not State.UNENROLLED)
    yield "orillo_enrolled", "gauge", "1 if this device has an identity.", [({}, enrolled)]
    yield (
        "orillo_plan_generation",
        "gauge",
        "The generation of the plan in force; 0 without one.",
        [({}, float(snapshot.generation))],
    )
    yield (
        "orillo_plan_issued_timestamp_seconds",
        "gauge",
        "When the plan in force was issued.",
        _time(snapshot.plan_issued_at),
    )
    yield (
        "orillo_control_connected",
        "gauge",
        "1 while the control endpoint is reached.",
        [({}, float(snapshot.control.connected))],
    )


def _time(moment: datetime | None) -> list[Sample]:
    return [({}, moment.timestamp())] if moment else []


def _tunnels(snapshot: Snapshot) -> Iterator[tuple[str, str, str, list[Sample]]]:
    tunnels = sorted(snapshot.tunnels.items())
    up = [({"peer": name}, float(one.up)) for name, one in tunnels]
    yield "orillo_tunnel_up", "gauge", "1 if the probe through the tunnel is answered.", list(up)
    chosen = [({"peer": name}, float(one.chosen)) for name, one in tunnels]
    yield "orillo_tunnel_chosen", "gauge", "1 for the hub that carries this site.", list(chosen)
    rtt = [({"peer": name}, one.rtt) for name, one in tunnels if one.rtt is not None]
    yield "orillo_tunnel_rtt_seconds", "gauge", "Smoothed round trip of the probe.", list(rtt)
    loss = [({"peer": name}, one.loss) for name, one in tunnels if one.loss is not None]
    yield "orillo_tunnel_loss_ratio", "gauge", "Smoothed share of lost probes, 0 to 1.", list(loss)
    # Gauges: they are those of the SAs of now, and begin anew with each of them.
    moved = [
        ({"peer": name, "direction": way}, float(count))
        for name, one in tunnels
        for way, count in (("in", one.bytes_in), ("out", one.bytes_out))
    ]
    yield "orillo_tunnel_sa_bytes", "gauge", "Bytes through the SAs that are there now.", list(moved)


def _site(snapshot: Snapshot) -> Iterator[tuple[str, str, str, list[Sample]]]:
    objects = [
        ({"table": name, "phase": phase}, float(count))
        for name, table in sorted(snapshot.tables.items())
        for phase, count in (("applied", table.applied), ("waiting", table.waiting), ("failed", table.failed))
    ]
    yield "orillo_table_objects", "gauge", "Objects of each table by phase.", list(objects)
    repaired = [({"table": name}, float(one.count)) for name, one in sorted(snapshot.drift.items())]
    yield (
        "orillo_drift_repairs_total",
        "counter",
        "How often others undid something of a table.",
        list(repaired),
    )
    alive = [
        ({"service": name, "alive": str(state).lower()}, float(sum(b.alive is state for b in port.backends)))
        for name, port in sorted(snapshot.services.items())
        for state in (True, False)
    ]
    yield "orillo_service_backends", "gauge", "Backends of each service port.", list(alive)
    answered = [
        ({"service": name}, float(port.tier is not None)) for name, port in sorted(snapshot.services.items())
    ]
    yield "orillo_service_answered", "gauge", "1 if anybody answers for the service port.", list(answered)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return str(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
