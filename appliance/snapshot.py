# SPDX-License-Identifier: Apache-2.0
"""What the daemon knows, told to a person (the snapshot) and to the operator (the report). Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from appliance import __version__
from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.services import choose
from appliance.netcore.desired.steering import by_connection
from appliance.netcore.plan.exchange import PhaseCount, Report, TunnelState
from appliance.netcore.plan.identity import Identity
from appliance.netcore.plan.model import Plan, Service
from appliance.netcore.plan.model import ServicePort as PlannedPort
from appliance.netcore.reconcile.drift import Drift
from appliance.netcore.spec import Capability
from appliance.netcore.tunnel import ChildSa, IkeSa, Reach
from appliance.status.model import (
    Backend,
    Child,
    Condition,
    Control,
    Event,
    Repairs,
    ServicePort,
    Snapshot,
    State,
    Tunnel,
)
from appliance.sync.store import Held


@dataclass(frozen=True)
class Known:
    """All that one telling is made of; each field is as of the last pass."""

    identity: Identity | None = None
    held: Held | None = None
    control: Control = field(default_factory=Control)
    capability: Capability | None = None
    facts: Facts = field(default_factory=Facts)
    sas: tuple[IkeSa, ...] = ()
    reach: Mapping[str, Reach] = field(default_factory=dict)
    tunnels: Mapping[str, TunnelState] = field(default_factory=dict)
    tables: Mapping[str, PhaseCount] = field(default_factory=dict)
    applied: int = 0
    applied_at: datetime | None = None
    on_trial: bool = False
    drift: Mapping[str, Drift] = field(default_factory=dict)


def snapshot(
    known: Known, at: datetime, conditions: tuple[Condition, ...] = (), events: tuple[Event, ...] = ()
) -> Snapshot:
    """The whole story, as `orillo status` shows it."""
    plan = known.held.plan if known.held else None
    return Snapshot(
        at=at,
        state=_state(known),
        identity=known.identity,
        role=plan.place.role if plan else None,
        generation=plan.generation if plan else 0,
        digest=known.held.digest if known.held else "",
        plan_issued_at=plan.issued_at if plan else None,
        applied=known.applied,
        applied_at=known.applied_at,
        on_trial=known.on_trial,
        control=known.control,
        ipsec=known.facts.ipsec or "",
        ipsec_reason=known.capability.reason if known.capability else "",
        hub=known.facts.hub,
        tunnels=dict(_tunnels(known)),
        tables=dict(known.tables),
        services=dict(_services(plan, known.facts)) if plan else {},
        conditions=conditions,
        events=events,
        drift={
            name: Repairs(count=one.repairs, recent=one.recent, at=one.at, what=one.what)
            for name, one in known.drift.items()
        },
        versions={"orillo": __version__},
    )


def report(known: Known, identity: Identity, at: datetime) -> Report:
    """What the operator is told."""
    held = known.held
    return Report(
        identity=identity,
        agent=__version__,
        at=at,
        generation=held.plan.generation if held else 0,
        digest=held.digest if held else "",
        ipsec=known.facts.ipsec or "",
        tables=dict(known.tables),
        tunnels=dict(known.tunnels),
        refused=known.control.refused,
        drift={name: one.repairs for name, one in known.drift.items()},
    )


def news(known: Known, before: Known) -> bool:
    """Whether a pass found anything that was otherwise before it; times and counters always are."""
    return _found(known) != _found(before)


def _found(known: Known) -> tuple[object, ...]:
    return known.facts, known.tables, known.drift, _standing(known)


def _standing(known: Known) -> dict[str, TunnelState]:
    return {name: replace(state, rtt=None) for name, state in known.tunnels.items()}


def _state(known: Known) -> State:
    if known.identity is None:
        return State.UNENROLLED
    return State.RUNNING if known.held else State.NO_PLAN


def _tunnels(known: Known) -> Iterator[tuple[str, Tunnel]]:
    sas = by_connection(known.sas)
    for name, state in sorted(known.tunnels.items()):
        held = [sa for sa in sas.get(name, ()) if sa.established]
        children = [child for sa in held for child in sa.children]
        peer = known.held.plan.peers.get(name) if known.held else None
        reach = known.reach.get(name)
        yield (
            name,
            Tunnel(
                up=state.up,
                chosen=state.chosen,
                rtt=state.rtt,
                loss=reach.loss if reach else None,
                established=float(held[0].age) if held else None,
                bytes_in=sum(child.bytes_in for child in children),
                bytes_out=sum(child.bytes_out for child in children),
                reason=state.reason,
                path=peer.paths[0] if peer else None,
                local=str(held[0].local or "") if held else "",
                remote=str(held[0].remote or "") if held else "",
                children=tuple(map(_child, children)),
            ),
        )


def _child(sa: ChildSa) -> Child:
    return Child(
        name=sa.name,
        state=sa.state.lower(),
        age=float(sa.age),
        bytes_in=sa.bytes_in,
        bytes_out=sa.bytes_out,
        packets_in=sa.packets_in,
        packets_out=sa.packets_out,
    )


def _services(plan: Plan, facts: Facts) -> Iterator[tuple[str, ServicePort]]:
    for name, service in sorted(plan.services.items()):
        for port_name, port in sorted(service.ports.items()):
            yield f"{name}:{port_name}", _service_port(service, port, facts)


def _service_port(service: Service, port: PlannedPort, facts: Facts) -> ServicePort:
    used = {
        (backend.address, backend.port): backend.tier
        for version in (4, 6)
        for backend in choose(port, strict=service.strict, version=version, dead=facts.dead)
    }
    return ServicePort(
        addresses=tuple(str(address) for address in service.addresses),
        protocol=port.protocol,
        port=port.port,
        tier=next(iter(used.values()), None),
        backends=tuple(
            Backend(
                address=str(backend.address),
                port=backend.port,
                tier=backend.tier,
                node=backend.node,
                alive=(backend.address, backend.port) not in facts.dead,
                used=(backend.address, backend.port) in used,
            )
            for backend in port.backends.values()
        ),
    )
