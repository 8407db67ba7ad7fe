# SPDX-License-Identifier: Apache-2.0
"""Pure: the chains of the one table, as text for nft.

Rules name sets only, so that most changes of a plan or of the facts are changes of elements. No tunnel known
is an empty set `tunnels`: nothing then matches as coming from a tunnel, and nothing may leave for the fabric.
The links to other connectors are tunnels too, and are in the set `relays` beside.
"""

from collections.abc import Iterable, Iterator, Mapping

from appliance.netcore.desired.firewall_sets import FAMILIES, Family, group_set
from appliance.netcore.desired.relays import PORT, relay_mtu, relays
from appliance.netcore.plan.model import Plan, PortRange, Rule
from appliance.netcore.plan.values import Protocol, Role

_SYN = "tcp flags & (syn | rst) == syn tcp option maxseg size set"

#: Not on its way into an SA of the kernel's.
_IN_CLEAR = "rt ipsec missing"


def chains(plan: Plan) -> Iterator[str]:
    """All chains but those that draw a slot. A chain comes after those that it jumps to."""
    role = plan.place.role
    yield from _chain("unanswered", "", _unanswered())
    yield from _chain("ingress", "filter hook prerouting priority raw", _ingress(plan))
    yield from _chain("services_in", "nat hook prerouting priority dstnat", _services_in(plan))
    yield from _chain("services_out", "nat hook output priority -100", _services(""))
    if role is Role.EDGE:
        yield from _chain("from_peers", "", _from_peers(plan))
        yield from _chain("to_peers", "", _to_peers(plan))
    yield from _chain("input", "filter hook input priority filter", _input(plan))
    yield from _chain("output", "filter hook output priority filter", ("jump unanswered",))
    forward = _edge_forward() if role is Role.EDGE else _cloud_forward(plan)
    yield from _chain("forward", "filter hook forward priority filter", forward)
    # In postrouting and not in output: the latter still sees the link from before a translated destination.
    yield from _chain("egress", "filter hook postrouting priority mangle", _egress(plan))
    yield from _chain("masquerade_own", "nat hook postrouting priority srcnat", _masquerade(plan))


def _chain(name: str, hook: str, rules: Iterable[str]) -> Iterator[str]:
    yield f"chain {name} {{"
    if hook:
        yield f"\ttype {hook}; policy accept;"
    yield from (f"\t{rule}" for rule in rules)
    yield "}"


def _unanswered() -> Iterator[str]:
    """What was for a service and found no backend."""
    for f in FAMILIES:
        yield f"{f.name} daddr @service_range{f.version} meta l4proto tcp reject with tcp reset"
        yield f"{f.name} daddr @service_range{f.version} reject"


def _ingress(plan: Plan) -> Iterator[str]:
    """Nobody outside a tunnel speaks for a remote peer, and nobody inside one for us."""
    if plan.place.role is Role.CLOUD_NODE:
        return
    for f in FAMILIES:
        yield f"{f.name} saddr @remote{f.version} iifname != @tunnels drop"
        yield f"{f.name} saddr @own{f.version} iifname @tunnels drop"
    yield from _clamp(plan, "iifname")


def _services(guard: str, families: Iterable[Family] = FAMILIES) -> Iterator[str]:
    """Peers translate for themselves; what comes out of a tunnel is for a backend already."""
    for f in families:
        yield f"{guard}meta l4proto . {f.name} daddr . th dport vmap @services{f.version}"


def _services_in(plan: Plan) -> Iterator[str]:
    yield from _services("iifname != @tunnels ")
    if is_gateway(plan):
        # Another cluster's gateway can't: it knows our services by this address alone.
        for f in FAMILIES:
            yield from _services(f"iifname @tunnels {f.name} saddr @foreign{f.version} ", (f,))


def is_gateway(plan: Plan) -> bool:
    """Whether tunnels to other clusters end here."""
    return plan.place.role is Role.CONNECTOR and any(peer.cluster for peer in plan.peers.values())


def _egress(plan: Plan) -> Iterator[str]:
    """The last word on what leaves: nothing for the fabric in clear, whatever the routes say.

    With ESP in the kernel a packet comes by twice before it is encrypted: at its XFRM interface, and, from
    within that, at the link that will carry the outer packet (`xfrm4_output`). The second time it is bound to
    be encrypted, which `rt ipsec` tells.
    """
    if plan.place.role is Role.CLOUD_NODE:
        return
    for f in FAMILIES:
        if plan.place.role is Role.CONNECTOR:
            yield f"{f.name} daddr @remote{f.version} oifname != @tunnels {_IN_CLEAR} drop"
            # What goes to another connector's link still has to be encrypted.
            yield f"{f.name} daddr @hubs{f.version} udp dport {PORT} oifname != @tunnels {_IN_CLEAR} drop"
            continue
        # Without a pod network of ours, the link to our own prefixes has a name that we don't know.
        near = "own" if plan.cni is None else "lan"
        guarded = f"{f.name} daddr != @{near}{f.version} {f.name} daddr @fabric{f.version}"
        yield f"{guarded} oifname != @inside {_IN_CLEAR} drop"
    yield from _clamp(plan, "oifname")


def _clamp(plan: Plan, direction: str) -> Iterator[str]:
    """The kernel only ever makes an MSS smaller (nft_exthdr)."""
    links = {"tunnels": plan.tunnel.mtu} | ({"relays": relay_mtu(plan)} if relays(plan) else {})
    for name, mtu in links.items():
        for f in FAMILIES:
            yield f"{direction} @{name} meta nfproto ipv{f.version} {_SYN} {mtu - f.headers}"


def _masquerade(plan: Plan) -> Iterator[str]:
    if is_gateway(plan):
        yield from _between_clusters(plan)
    for f in FAMILIES:
        pods = f"{f.name} saddr @pods{f.version}"
        yield f"{pods} {f.name} daddr != @fabric{f.version} oifname != @tunnels masquerade"
        # A host of the site knows its router and not the fabric: its answers have to come back to us.
        lan = f"{f.name} daddr @lan{f.version}"
        yield f"{f.name} saddr != @lan{f.version} {f.name} saddr @fabric{f.version} {lan} masquerade"
        # On one bridge the answer would go straight back, past the translation of its source.
        yield f"{pods} {f.name} daddr @pods{f.version} ct status dnat masquerade"


def _between_clusters(plan: Plan) -> Iterator[str]:
    """Gateways know one another's overlay addresses and nothing behind them, so that two clusters may have
    equal prefixes, and every answer comes back the way that its question went.
    """
    for f in FAMILIES:
        own = next((address for address in plan.overlay if address.version == f.version), None)
        if own is not None:
            mine = f"snat {f.name} to {own}"
            yield f"{f.name} saddr != @overlay{f.version} {f.name} daddr @foreign{f.version} {mine}"
            yield f"{f.name} saddr @foreign{f.version} ct status dnat {mine}"


def _input(plan: Plan) -> Iterator[str]:
    """Out of a tunnel only peers are heard: at the overlay address, and at ours as the policy has it."""
    yield "jump unanswered"
    if plan.place.role is Role.CLOUD_NODE:
        return
    if plan.place.role is Role.CONNECTOR:
        yield from _relay_input()
    yield "iifname != @tunnels accept"
    yield "ct state established,related accept"
    if is_gateway(plan):
        # Echo is how tunnels are probed; what else there is for another cluster was translated before.
        yield from (f"{f.name} saddr @foreign{f.version} meta l4proto != {f.icmp} drop" for f in FAMILIES)
    for f in FAMILIES:
        yield f"{f.name} saddr != @peers{f.version} drop"
        yield f"{f.name} daddr @overlay{f.version} accept"
    if plan.place.role is Role.EDGE:
        # The LAN is for its hosts; our own services are not offered to peers with it.
        yield from (f"{f.name} daddr @lan{f.version} drop" for f in FAMILIES)
        yield "jump from_peers"
    else:
        yield from (f"{f.name} daddr @own{f.version} accept" for f in FAMILIES)
    yield "drop"


def _relay_input() -> Iterator[str]:
    """Only another connector, and only through its tunnel, puts a packet into a link between connectors.

    The kernel looks at the port and the network number alone, on whatever address it arrives.
    """
    for f in FAMILIES:
        ends = f"{f.name} saddr @hubs{f.version} {f.name} daddr @overlay{f.version}"
        yield f"iifname @tunnels iifname != @relays {ends} udp dport {PORT} accept"
    yield f"udp dport {PORT} drop"


def _edge_forward() -> Iterator[str]:
    yield "jump unanswered"
    yield "ct state established,related accept"
    for f in FAMILIES:
        own = f"{f.name} saddr @own{f.version}"
        yield f"{own} {f.name} daddr @own{f.version} accept"
        yield f"{own} {f.name} daddr != @fabric{f.version} oifname != @tunnels accept"
        # A port of a pod that the portmap plug-in published, asked for from outside.
        yield f"{f.name} daddr @own{f.version} iifname != @tunnels ct status dnat accept"
    yield "iifname @tunnels jump from_peers"
    yield "oifname @tunnels jump to_peers"
    for f in FAMILIES:
        for name in ("own", "fabric"):
            yield f"{f.name} saddr @{name}{f.version} drop"
            yield f"{f.name} daddr @{name}{f.version} drop"
    yield "iifname @tunnels drop"
    yield "oifname @tunnels drop"


def _from_peers(plan: Plan) -> Iterator[str]:
    """New connections that a rule lets a peer open to us."""
    for rule in _rules(plan.policy):
        if rule.destination in plan.groups:
            for f in FAMILIES:
                source = f"{f.name} saddr @{group_set(rule.source)}{f.version}"
                yield from _ports(rule, f, f"{source} {f.name} daddr @own{f.version}")


def _to_peers(plan: Plan) -> Iterator[str]:
    """New connections that a rule lets us open to a peer."""
    for rule in _rules(plan.policy):
        if rule.source in plan.groups:
            for f in FAMILIES:
                target = f"{f.name} daddr @{group_set(rule.destination)}{f.version}"
                yield from _ports(rule, f, f"{f.name} saddr @own{f.version} {target}")


def _ports(rule: Rule, family: Family, match: str) -> Iterator[str]:
    if not rule.allow:
        yield f"{match} accept"
    for allowed in rule.allow:
        yield f"{match} {_port_match(allowed, family)} accept"


def _port_match(allowed: PortRange, family: Family) -> str:
    if allowed.protocol is Protocol.ICMP:
        return f"meta l4proto {family.icmp}"
    if allowed.first is None:
        return f"meta l4proto {allowed.protocol}"
    ports = f"{allowed.first}" if allowed.first == allowed.last else f"{allowed.first}-{allowed.last}"
    return f"{allowed.protocol} dport {ports}"


def _cloud_forward(plan: Plan) -> Iterator[str]:
    """Stateless, by pairs of prefixes: after a move to another hub, connection tracking saw half a flow.

    Direction and ports are for the two ends to hold.
    """
    yield "jump unanswered"
    tunnels = plan.place.role is Role.CONNECTOR
    if tunnels:
        # What one connector sent us is for us to deliver. Passed on, it would go to and fro while they
        # disagree about who carries an edge.
        yield "iifname @relays oifname @relays drop"
    for source, destination in _pairs(plan.policy):
        for f in FAMILIES:
            pair = (f"@{group_set(source)}{f.version}", f"@{group_set(destination)}{f.version}")
            yield f"{f.name} saddr {pair[0]} {f.name} daddr {pair[1]} accept"
    if tunnels:
        yield "ct state related accept"
    for f in FAMILIES:
        # Between cloud endpoints the cluster's own network policy judges.
        yield f"{f.name} saddr @cloud{f.version} {f.name} daddr @cloud{f.version} accept"
        yield f"{f.name} saddr @fabric{f.version} {f.name} daddr @fabric{f.version} drop"
    if tunnels:
        yield "iifname @tunnels drop"
        yield "oifname @tunnels drop"


def _pairs(policy: Mapping[str, Rule]) -> list[tuple[str, str]]:
    """Both directions of every rule, once each: answers need theirs too."""
    ways = {(rule.source, rule.destination) for rule in policy.values()}
    return sorted(ways | {(destination, source) for source, destination in ways})


def _rules(policy: Mapping[str, Rule]) -> list[Rule]:
    return [rule for _, rule in sorted(policy.items())]
