# SPDX-License-Identifier: Apache-2.0
"""The walk along a path, as this device sees it: from the plan to the far end, and where it breaks."""

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum

from appliance.checks.box import Box
from appliance.checks.ends import End, backends_of, find_end, policy
from appliance.checks.tunnels import reason_code
from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.interfaces import interfaces
from appliance.netcore.desired.services import choose
from appliance.netcore.desired.steering import carrying_hub
from appliance.netcore.errors import DoorError
from appliance.netcore.health.words import say
from appliance.netcore.kernel.links import tun_of
from appliance.netcore.plan.model import Backend, Plan
from appliance.netcore.plan.values import Address, Role
from appliance.netcore.probe import names
from appliance.netcore.probe.ports import Knock, knock
from appliance.netcore.tunnel import SITE, ChildSa, IkeSa
from appliance.status.answers import Hop, Walk

_PINGS, _PATIENCE = 5, 1.5
_ICMP_AND_IP = {4: 28, 6: 48}


class Step(StrEnum):
    """What is looked at, in the order in which a packet meets it."""

    PLAN = "plan"
    NAME = "dns"
    SERVICE = "service"
    POLICY = "policy"
    ROUTE = "route"
    IKE = "ike"
    CHILD = "child"
    COUNTERS = "counters"
    PATH = "path"
    MTU = "mtu"
    BACKEND = "backend"


def conclusion(a: str, b: str, port: int | None, hops: tuple[Hop, ...]) -> Walk:
    """The walk, with the place where it breaks.

    A route that is closed is closed because no tunnel carries it: then the tunnel is what breaks.
    """
    failing = [hop.step for hop in hops if hop.ok is False]
    tunnel = next((step for step in failing if step in (Step.IKE, Step.CHILD)), "")
    breaks = tunnel if tunnel and failing[0] == Step.ROUTE else next(iter(failing), "")
    return Walk(a, b, hops, port, breaks)


async def walk(box: Box, a: str, b: str, port: int | None) -> AsyncIterator[Hop]:
    """The hops one after the other, as they are known. The walk ends where nothing further makes sense."""
    plan = box.plan
    if plan is None:
        words = say("plan-missing" if box.held.device else "not-enrolled", {})
        yield Hop(Step.PLAN, False, words.text, f"looked below {box.paths.state}", words.action)
        return
    start, end = find_end(plan, a), find_end(plan, b)
    first = _known(plan, start, end)
    yield first
    if not first.ok:
        return
    target, port = end, port
    if end.service:
        async for hop in _service(box, plan, end, port):
            yield hop
            if hop.ok is False:
                return
        target, port = _backend(box, plan, end, port)
    # Seen from here: the end that is not ours is the far one, whichever way the connection goes.
    far, outbound = (target, True) if start.own or not target.own else (start, False)
    if far.own:
        own = ", ".join(map(str, (*plan.prefixes, *plan.overlay)))
        text = "Both ends are on this device: the traffic does not leave it."
        yield Hop(Step.ROUTE, True, text, f"this device has {own}")
    elif far.outside:
        async for hop in _outside(box, far):
            yield hop
    else:
        async for hop in _to_peer(box, plan, far, port, outbound=outbound):
            yield hop
            if hop.ok is False and hop.step == Step.POLICY:
                return
    if outbound and port is not None and target.address is not None:
        yield await _connect(target, port)


def _known(plan: Plan, start: End, end: End) -> Hop:
    at = f"generation {plan.generation}"
    for one in (start, end):
        if not one.known:
            names_known = ", ".join(sorted((plan.identity.name, *plan.peers, *plan.services)))
            text = f"The plan knows nothing called {one.text}."
            remedy = f"Use one of: {names_known}; or an address."
            return Hop(
                Step.PLAN, False, text, f"{at}; a stranger to this device, or in no community with it", remedy
            )
    if not (start.own or end.own) and plan.place.role is not Role.CONNECTOR:
        other = start.device or end.device or start.text
        text = f"Neither {start.text} nor {end.text} is on this device."
        return Hop(Step.PLAN, False, text, at, f"Run `orillo why` on {other}.")
    return Hop(Step.PLAN, True, f"{_says(start)} {_says(end)}", at)


def _says(end: End) -> str:
    if end.service:
        return f"{end.text} is the service {end.service}."
    if end.outside:
        return f"{end.text} is outside of the fabric."
    place = "this device" if end.own else f"the peer {end.device}"
    return f"{end.text} is {place}." if end.text == end.device else f"{end.text} is on {place}."


async def _service(box: Box, plan: Plan, end: End, port: int | None) -> AsyncIterator[Hop]:
    service = plan.services[end.service]
    yield await _name(plan, end)
    ports = backends_of(service, port)
    if not ports:
        has = ", ".join(str(one.port) for one in service.ports.values())
        yield Hop(
            Step.SERVICE,
            False,
            f"{end.service} has no port {port}.",
            f"it has {has}",
            "Ask for one of these.",
        )
        return
    chosen = _chosen(box, plan, end, port)
    name, number, backends = ports[0]
    if not chosen:
        words = say("service-unanswered", {"service": end.service})
        yield Hop(Step.SERVICE, False, words.text, f"{len(backends)} backends, none alive", words.action)
        return
    answering = ", ".join(f"{one.address}:{one.port} on {one.node or '?'}" for one in chosen)
    text = f"Port {number} ({name}) of {end.service} is answered by the tier '{chosen[0].tier}'."
    yield Hop(Step.SERVICE, True, text, f"{len(chosen)} of {len(backends)} backends: {answering}")


def _chosen(box: Box, plan: Plan, end: End, port: int | None) -> tuple[Backend, ...]:
    service = plan.services[end.service]
    version = end.address.version if end.address else 4
    for one in service.ports.values():
        if port in (None, one.port):
            return choose(one, strict=service.strict, version=version, dead=_dead(box))
    return ()


def _dead(box: Box) -> frozenset[tuple[Address, int]]:
    """The backends that the agent found dead."""
    snapshot, plan = box.agent.snapshot, box.plan
    if snapshot is None or plan is None:
        return frozenset()
    dead = {
        (backend.address, backend.port)
        for port in snapshot.services.values()
        for backend in port.backends
        if not backend.alive
    }
    return frozenset(
        (backend.address, backend.port)
        for service in plan.services.values()
        for one in service.ports.values()
        for backend in one.backends.values()
        if (str(backend.address), backend.port) in dead
    )


def _backend(box: Box, plan: Plan, end: End, port: int | None) -> tuple[End, int]:
    """The backend that would answer, as the end to walk to."""
    chosen = _chosen(box, plan, end, port)[0]
    return find_end(plan, str(chosen.address)), chosen.port


async def _name(plan: Plan, end: End) -> Hop:
    namespace, _, service = end.service.partition("/")
    name = f"{service}.{namespace}.svc.{plan.dns.domain}"
    right = {one for one in plan.services[end.service].addresses if one.version == 4}
    servers = plan.dns.bind or plan.overlay
    if not servers or not right:
        evidence = f"the cache listens at {len(servers)} addresses, and the service has {len(right)} of IPv4"
        return Hop(Step.NAME, None, f"{name} can't be asked for here.", evidence)
    answer = await names.resolve(servers[0], name, "A", 2.0)
    if answer is None:
        words = say("dns-cache-silent", {"address": str(servers[0])})
        return Hop(Step.NAME, False, words.text, "no answer within 2 s", words.action)
    got = ", ".join(sorted(map(str, answer.addresses))) or "no such name"
    if answer.addresses != right:
        words = say("dns-records-wrong", {"name": name})
        return Hop(Step.NAME, False, words.text, f"{servers[0]} says {got}", words.action)
    return Hop(Step.NAME, True, f"{name} is {got}.", f"asked {servers[0]}")


async def _outside(box: Box, far: End) -> AsyncIterator[Hop]:
    address = far.address
    way = await box.uplinks.way(address) if address else None
    if way is None:
        words = say("route-default-missing", {})
        yield Hop(Step.ROUTE, False, words.text, f"no route to {address}", words.action)
    else:
        yield Hop(
            Step.ROUTE, True, f"It leaves by {way.device}, outside of all tunnels.", _way_words(way.gateway)
        )


def _way_words(gateway: Address | None) -> str:
    return f"by the router {gateway}" if gateway else "on the link itself"


async def _to_peer(box: Box, plan: Plan, far: End, port: int | None, *, outbound: bool) -> AsyncIterator[Hop]:
    if plan.place.role is Role.EDGE:
        verdict = policy(plan, far.device, port, outbound=outbound)
        remedy = (
            ""
            if verdict.allowed
            else f"Have the operator apply a Community with both; see {_explain(plan, far)}."
        )
        start = "The policy allows it." if verdict.allowed else "The policy does not allow it."
        yield Hop(Step.POLICY, verdict.allowed, start, verdict.text, remedy)
    address = far.address
    if address is None:
        return
    yield await _route(box, plan, address)
    if plan.place.role is Role.CLOUD_NODE:
        yield await _pings(box, plan, far.device, address)
        return
    try:
        sas = await box.charon.list_sas()
    except DoorError as error:
        words = say("charon-not-running", {})
        yield Hop(Step.IKE, False, words.text, str(error), words.action)
        return
    via = _via(plan, sas, far.device)
    for hop in _sas(box, via, far.device, sas):
        yield hop
        if hop.ok is False:
            return
    yield await _pings(box, plan, via or far.device, None)
    if via != far.device:
        yield await _pings(box, plan, far.device, None)
    yield await _large(box, plan, via or far.device)


def _explain(plan: Plan, far: End) -> str:
    return f"`orillo-cloud explain {plan.identity.name} {far.device}`"


def _via(plan: Plan, sas: tuple[IkeSa, ...], peer: str) -> str:
    """Whose tunnel carries what is for `peer`; empty if none does."""
    if plan.place.role is Role.EDGE:
        return carrying_hub(plan, sas) or ""
    return peer


async def _route(box: Box, plan: Plan, address: Address) -> Hop:
    way = await box.uplinks.way(address)
    if way is None:
        text = f"The route to {address} is closed: no tunnel carries it now."
        return Hop(Step.ROUTE, False, text, "unreachable in table 7410", "See the tunnels: `orillo doctor`.")
    tun = tun_of(box.paths.charon_pid)
    inner = {one.name for one in interfaces(plan, Facts(tun=tun))} | {tun or ""}
    evidence = f"dev {way.device} src {way.source}"
    if way.device in inner or way.device.startswith("orillo") or plan.place.role is Role.CLOUD_NODE:
        return Hop(Step.ROUTE, True, f"The route to {address} leads into the tunnel.", evidence)
    if plan.place.role is Role.CONNECTOR:
        return Hop(Step.ROUTE, True, f"The route to {address} leads by {way.device}.", evidence)
    words = say("rules-bypassed", {"priority": "?"})
    return Hop(Step.ROUTE, False, words.text, evidence, "Look at `ip rule`, and remove the rule before 7410.")


def _sas(box: Box, via: str, peer: str, sas: tuple[IkeSa, ...]) -> list[Hop]:
    snapshot = box.agent.snapshot
    if not via:
        told = (
            [f"{name}: {one.reason}" for name, one in snapshot.tunnels.items() if one.reason]
            if snapshot
            else []
        )
        evidence = "; ".join(told) or "no site child is installed at any hub"
        code = reason_code(evidence) or "tunnels-all-down"
        return [
            Hop(Step.IKE, False, "No hub carries this site.", evidence, say(code, {"peer": "the hub"}).action)
        ]
    held = [sa for sa in sas if sa.name == via and sa.established]
    if not held:
        words = say("ike-down", {"peer": via})
        return [Hop(Step.IKE, False, words.text, "no established IKE SA", words.action)]
    ike = held[0]
    hops = [
        Hop(Step.IKE, True, f"The IKE SA with {via} is up.", f"{ike.local} to {ike.remote}, {ike.age} s old")
    ]
    # The site's own child first: it is what pods' traffic goes by.
    children = sorted(
        (child for sa in held for child in sa.children if child.carries), key=lambda child: child.name != SITE
    )
    if not children:
        words = say("child-refused", {"peer": via})
        states = ", ".join(f"{child.name} {child.state}" for sa in held for child in sa.children) or "none"
        text = f"No CHILD SA with {via} is installed."
        return [*hops, Hop(Step.CHILD, False, text, f"children: {states}", words.action)]
    named = ", ".join(f"{child.name} ({child.age} s old)" for child in children)
    hops.append(Hop(Step.CHILD, True, f"CHILD SAs with {via} are installed.", named))
    return [*hops, _counted(children[0], via)]


def _counted(child: ChildSa, via: str) -> Hop:
    figures = (
        f"{child.packets_in} packets in, {child.packets_out} out, {child.bytes_in}/{child.bytes_out} bytes"
    )
    if child.packets_out and not child.packets_in:
        return Hop(Step.COUNTERS, None, f"Nothing has come in from {via} by '{child.name}' yet.", figures)
    return Hop(Step.COUNTERS, True, f"The counters of '{child.name}' are live.", figures)


async def _pings(box: Box, plan: Plan, peer: str, address: Address | None) -> Hop:
    target = address or next(iter(plan.peers[peer].overlay), None)
    if target is None:
        return Hop(Step.PATH, None, f"{peer} has no address to ping.", "the plan gives it no overlay address")
    source = next((one for one in plan.overlay if one.version == target.version), None)
    asked = (box.pinger.ping(target, source, _PATIENCE) for _ in range(_PINGS))
    answers = [rtt for rtt in await asyncio.gather(*asked) if rtt is not None]
    evidence = f"{len(answers)} of {_PINGS} pings to {target} came back"
    if not answers:
        words = say("esp-blocked", {"peer": peer})
        return Hop(Step.PATH, False, f"Nothing comes back from {peer}.", evidence, words.action)
    return Hop(Step.PATH, True, f"{peer} answers in {1000 * min(answers):.1f} ms.", evidence)


async def _large(box: Box, plan: Plan, peer: str) -> Hop:
    target = next(iter(plan.peers[peer].overlay), None)
    if target is None:
        return Hop(Step.MTU, None, f"{peer} has no address to ping.", "the plan gives it no overlay address")
    source = next((one for one in plan.overlay if one.version == target.version), None)
    size = plan.tunnel.mtu - _ICMP_AND_IP[target.version]
    asked = (box.pinger.ping(target, source, _PATIENCE, size) for _ in range(3))
    if any(rtt is not None for rtt in await asyncio.gather(*asked)):
        return Hop(Step.MTU, True, f"Packets of {plan.tunnel.mtu} bytes pass.", f"to {target}")
    words = say("mtu-black-hole", {"peer": peer})
    return Hop(
        Step.MTU, False, words.text, f"0 of 3 of {plan.tunnel.mtu} bytes to {target} came back", words.action
    )


async def _connect(target: End, port: int) -> Hop:
    answer = await knock(str(target.address), port, 2.5)
    where = f"TCP {target.address} port {port}: {answer}"
    if answer is Knock.OPEN:
        return Hop(Step.BACKEND, True, "The far end accepts connections.", where)
    if answer is Knock.REFUSED:
        remedy = "Start what should listen there, or ask for another port."
        return Hop(Step.BACKEND, False, f"The far end refuses: nobody listens on port {port}.", where, remedy)
    remedy = "See that the pod runs, and that no firewall at the far end keeps this device out."
    return Hop(Step.BACKEND, False, "The far end does not accept a connection.", where, remedy)
