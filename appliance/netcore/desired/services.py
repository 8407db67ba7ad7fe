# SPDX-License-Identifier: Apache-2.0
"""Pure: which backends answer for a service here and now, and the flat maps that say so to nftables.

One map holds all backends of all services, keyed by protocol, address, port and slot; a verdict map sends a
service's first packet to the small chain that draws a slot out of as many as the service has. A change of one
service is a change of a few elements, whatever the number of services.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from appliance.netcore.desired.facts import Facts
from appliance.netcore.plan.model import Backend, Peer, Plan, Service, ServicePort
from appliance.netcore.plan.values import Address, OnDown, Protocol, Tier
from appliance.netcore.ruleset import Elements

#: Protocols with ports, which can be balanced.
BALANCED = (Protocol.TCP, Protocol.UDP, Protocol.SCTP)

#: Chains for up to this many slots are always there, so that a backend that comes or goes changes no rule.
_USUAL_SLOTS = 8

#: Fixed, so that a client's backend survives a reload of the rules and a reboot.
_SEED = "0x7410"


@dataclass(frozen=True)
class ServiceMaps:
    """The elements of one address family's two maps, and the numbers of slots that need a chain."""

    services: Elements
    backends: Elements
    slots: frozenset[int]


@dataclass(frozen=True)
class _Target:
    """One address and port of a service, and who answers on it, by slot."""

    key: str
    backends: tuple[Backend, ...]
    affinity: bool


def choose(
    port: ServicePort, *, strict: bool, version: int, dead: frozenset[tuple[Address, int]] = frozenset()
) -> tuple[Backend, ...]:
    """The backends of IP version `version` in the nearest tier with a live one, ordered by address.

    A `strict` service stops after the site. None if nobody is left to answer.
    """
    tiers = [tier for tier in Tier if not strict or tier in (Tier.NODE, Tier.SITE)]
    live = [
        backend
        for backend in port.backends.values()
        if backend.address.version == version
        and (backend.address, backend.port) not in dead
        and backend.tier in tiers
    ]
    nearest = min((tiers.index(backend.tier) for backend in live), default=None)
    # One that has two names counts once.
    chosen = {(int(one.address), one.port): one for one in live if tiers.index(one.tier) == nearest}
    return tuple(chosen[key] for key in sorted(chosen))


def local_backends(plan: Plan) -> frozenset[tuple[Address, int]]:
    """The TCP backends inside the device's own prefixes: those that it can probe, and has to."""
    return frozenset(
        (backend.address, backend.port)
        for service in plan.services.values()
        for port in service.ports.values()
        if port.protocol is Protocol.TCP
        for backend in port.backends.values()
        if any(backend.address in prefix for prefix in (*plan.prefixes, *plan.lan))
    )


def backends_at(plan: Plan, nodes: Collection[str]) -> frozenset[tuple[Address, int]]:
    """All backends that run on these nodes."""
    return frozenset(
        (backend.address, backend.port)
        for service in plan.services.values()
        for port in service.ports.values()
        for backend in port.backends.values()
        if backend.node in nodes
    )


def far_homes(plan: Plan) -> dict[str, Peer]:
    """The peers with backends that are to be passed over while no tunnel leads to them."""
    spilling = {name: peer for name, peer in plan.peers.items() if peer.on_down is OnDown.SPILL}
    used = {
        backend.node
        for service in plan.services.values()
        for port in service.ports.values()
        for backend in port.backends.values()
    }
    return {name: peer for name, peer in spilling.items() if name in used}


def service_maps(plan: Plan, facts: Facts, version: int) -> ServiceMaps:
    """The maps of one IP version. A service that nobody answers for has no element: it will be refused."""
    targets = [target for target in _targets(plan, facts, version) if target.backends]
    return ServiceMaps(
        services={
            target.key: f"goto {chain_name(len(target.backends), affinity=target.affinity, version=version)}"
            for target in targets
        },
        backends={
            f"{target.key} . {slot}": f"{backend.address} . {backend.port}"
            for target in targets
            for slot, backend in enumerate(target.backends)
        },
        slots=frozenset(range(1, _USUAL_SLOTS + 1)) | {len(target.backends) for target in targets},
    )


def chain_name(slots: int, *, affinity: bool, version: int) -> str:
    """The chain that draws one of `slots`, by chance or by the client's address."""
    return f"{'client' if affinity else 'any'}_of_{slots}_v{version}"


def slot_chains(slots: Iterable[int], version: int) -> Iterator[str]:
    """The text of the chains that draw a slot and translate the destination."""
    family = "ip" if version == 4 else "ip6"
    protocols = ", ".join(BALANCED)
    for count in sorted(slots):
        draws = {False: f"numgen random mod {count}", True: f"jhash {family} saddr mod {count} seed {_SEED}"}
        for affinity, draw in draws.items():
            key = f"meta l4proto . {family} daddr . th dport . {draw}"
            yield f"chain {chain_name(count, affinity=affinity, version=version)} {{"
            # The protocol has to be matched before a port can be translated (nft(8)).
            yield f"\tmeta l4proto {{ {protocols} }} dnat {family} to {key} map @backends{version}"
            yield "}"


def _targets(plan: Plan, facts: Facts, version: int) -> Iterator[_Target]:
    for _, service in sorted(plan.services.items()):
        for address in service.addresses:
            if address.version == version:
                yield from _ports(service, address, facts)


def _ports(service: Service, address: Address, facts: Facts) -> Iterator[_Target]:
    for _, port in sorted(service.ports.items()):
        if port.protocol in BALANCED:
            yield _Target(
                key=f"{port.protocol} . {address} . {port.port}",
                backends=choose(port, strict=service.strict, version=address.version, dead=facts.dead),
                affinity=service.client_affinity,
            )
