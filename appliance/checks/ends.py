# SPDX-License-Identifier: Apache-2.0
"""What somebody means by the two ends of a path: a device, an address, or a service. Pure."""

from dataclasses import dataclass
from ipaddress import ip_address

from appliance.netcore.plan.model import Backend, Plan, PortRange, Rule, Service
from appliance.netcore.plan.values import Address, Protocol


@dataclass(frozen=True)
class End:
    """One end. `own`: it is this device or in its prefixes. `address` is what stands for it on the wire.

    `outside` is an address that no plan knows; `service` a service's name.
    """

    text: str
    device: str = ""
    address: Address | None = None
    own: bool = False
    service: str = ""
    outside: bool = False

    @property
    def known(self) -> bool:
        return bool(self.device or self.service or self.outside)


def find_end(plan: Plan, text: str) -> End:
    """Read an end; one that nobody knows has neither device nor service."""
    own = plan.identity.name
    if text in (own, "self"):
        return End(text, own, next(iter(plan.overlay), None), own=True)
    if text in plan.peers:
        return End(text, text, next(iter(plan.peers[text].overlay), None))
    try:
        return _of_address(plan, text, ip_address(text))
    except ValueError:
        return _of_service(plan, text)


def _of_address(plan: Plan, text: str, address: Address) -> End:
    own = plan.identity.name
    if address in plan.overlay or any(address in prefix for prefix in (*plan.prefixes, *plan.lan)):
        return End(text, own, address, own=True)
    for name, peer in plan.peers.items():
        if address in peer.overlay or any(address in prefix for prefix in peer.prefixes):
            return End(text, name, address)
    for name, service in plan.services.items():
        if address in service.addresses:
            return End(text, address=address, service=name)
    inside = (*plan.fabric, *plan.service_range)
    return End(text, address=address, outside=not any(address in prefix for prefix in inside))


def _of_service(plan: Plan, text: str) -> End:
    bare = text.removesuffix(".").removesuffix(f".{plan.dns.domain}").removesuffix(".svc")
    name, _, namespace = bare.partition(".")
    wanted = {text, f"{namespace}/{name}"} if namespace else {text}
    found = [key for key in plan.services if key in wanted or (not namespace and key.endswith(f"/{text}"))]
    if len(found) != 1:
        return End(text)
    return End(text, address=next(iter(plan.services[found[0]].addresses), None), service=found[0])


def backends_of(service: Service, port: int | None) -> tuple[tuple[str, int, tuple[Backend, ...]], ...]:
    """The service's ports that are meant: name, number and backends."""
    return tuple(
        (name, one.port, tuple(one.backends.values()))
        for name, one in sorted(service.ports.items())
        if port in (None, one.port)
    )


@dataclass(frozen=True)
class Verdict:
    """What the policy says of connections from one device to another: by which rule, or why not."""

    allowed: bool
    text: str


def policy(plan: Plan, peer_name: str, port: int | None, *, outbound: bool) -> Verdict:
    """May this device open connections to a peer (or, not `outbound`, the peer to us)?"""
    peer = plan.peers[peer_name]
    ours, theirs = set(plan.groups), set(peer.groups)
    source, target = (ours, theirs) if outbound else (theirs, ours)
    rules = {n: r for n, r in plan.policy.items() if r.source in source and r.destination in target}
    if not rules:
        mine = ", ".join(sorted(ours)) or "none"
        other = ", ".join(sorted(theirs)) or "none"
        return Verdict(False, f"no rule joins our groups ({mine}) with those of {peer_name} ({other})")
    open_to = {name: rule for name, rule in rules.items() if allows(rule, port)}
    if not open_to:
        ports = "; ".join(sorted(words(one) for rule in rules.values() for one in rule.allow))
        return Verdict(False, f"rule {', '.join(sorted(rules))} allows only {ports}")
    return Verdict(True, f"rule {', '.join(sorted(open_to))} allows it")


def allows(rule: Rule, port: int | None) -> bool:
    """Whether a rule lets TCP to `port` pass; without a port, whether it lets anything pass."""
    if not rule.allow or port is None:
        return True
    return any(
        one.protocol is Protocol.TCP and (one.first is None or one.first <= port <= (one.last or one.first))
        for one in rule.allow
    )


def words(one: PortRange) -> str:
    """A range of ports as one says it."""
    if one.first is None:
        return str(one.protocol).upper()
    last = "" if one.last in (None, one.first) else f"-{one.last}"
    return f"{one.protocol.upper()} {one.first}{last}"
