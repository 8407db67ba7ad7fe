# SPDX-License-Identifier: Apache-2.0
"""The tunnels that this device dials: IKE outside, charon's SAs and reasons, and what passes inside."""

import asyncio
import re
from dataclasses import dataclass, field
from ipaddress import ip_network

from appliance.checks.box import Box
from appliance.checks.hubs import Asked, ask_hub, ask_hubs
from appliance.netcore.errors import DoorError
from appliance.netcore.health.kind import Finding
from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.plan.values import Address, Role, host_prefix
from appliance.netcore.probe.ike import Answer
from appliance.netcore.tunnel import PROBE, SITE, IkeSa

_LOOKS, _BETWEEN = 8, 0.35
_PINGS, _SPACING, _PATIENCE = 10, 0.05, 1.5
_LOSSY = 3
_ICMP_AND_IP = 28  # bytes of headers around an echo's payload over IPv4

#: What charon says, and what that means; the first that fits (strings of libcharon 5.9).
REASONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), code)
    for pattern, code in (
        (r"agreed to less than", "child-narrowed"),
        (r"no CHILD_SA built|TS_UNACCEPT", "child-refused"),
        (r"NO_PROPOSAL_CHOSEN|no acceptable (proposal|ENCRYPTION)|INVALID_KE", "ike-no-proposal"),
        (r"no private key found|no RSA private|no signature .* private", "ike-no-credentials"),
        (r"IDr .*(match|mismatch)|identity '.*' required|constraint check failed: id", "ike-wrong-identity"),
        (r"no trusted .*public key|no issuer certificate|signature validation failed", "ike-peer-untrusted"),
        (r"certificate (invalid|expired)|certificate was .* revoked", "ike-peer-untrusted"),
        (r"received AUTHENTICATION_FAILED|AUTH_FAILED", "ike-auth-failed"),
        (r"not implemented|unable to install|unable to add SAD", "child-not-installable"),
    )
)


@dataclass
class Seen:
    """What charon listed for one peer over several looks."""

    established: bool = False
    probe: bool = False
    site: bool = False
    states: dict[str, None] = field(default_factory=dict)


def reason_code(text: str) -> str:
    """The condition that charon's own words stand for; empty if they say nothing that is known."""
    return next((code for pattern, code in REASONS if pattern.search(text)), "")


async def reachable(box: Box) -> list[Finding]:
    """Whether each hub answers IKE, on which port, and what keeps our packets in."""
    asked = await ask_hubs(box)
    return [finding for name, one in asked.items() for finding in judge_outside(name, one)]


def judge_outside(peer: str, asked: Asked) -> list[Finding]:
    """What the outside of one tunnel says."""
    about, target = {"peer": peer}, str(asked.address)
    if asked.address is None:
        return [Finding("hub-name-unknown", f"no address for {asked.name!r}", about)]
    if Answer.BLOCKED in (asked.ike, asked.natt):
        evidence = f"the kernel refuses to send UDP to {target}: operation not permitted"
        return [
            Finding("firewall-foreign-output", evidence, {"target": target}),
            Finding("ike-no-answer", evidence, about),
        ]
    if Answer.NO_ROUTE in (asked.ike, asked.natt):
        return [Finding("hub-no-route", f"no route to {target}", about)]
    pinged = "answered" if asked.pinged else "silent"
    said = f"{target}: UDP 500 {asked.ike}, UDP 4500 {asked.natt}, ping {pinged}"
    if not asked.answers:
        return [Finding("ike-no-answer", said, about)]
    if asked.natt is not Answer.ANSWERED:
        return [Finding("ike-4500-blocked", said, about)]
    return [Finding("ike-500-blocked", said, about)] if asked.ike is not Answer.ANSWERED else []


async def inside(box: Box) -> list[Finding]:
    """SAs and data path of every tunnel that this device dials."""
    plan = box.plan
    if plan is None or not box.hubs:
        return []
    try:
        seen = await box.once("sas", lambda: _watch(box))
    except DoorError:
        seen = {}
    parts = await asyncio.gather(*(_one(box, plan, name, seen.get(name, Seen())) for name in box.hubs))
    found = [finding for part, _ in parts for finding in part]
    alive = [name for name, (_, up) in zip(box.hubs, parts, strict=True) if up]
    if not alive:
        found.append(Finding("tunnels-all-down", f"none of {', '.join(box.hubs)} answers through its tunnel"))
    elif plan.place.role is Role.EDGE and not any(one.site for one in seen.values()):
        found.append(Finding("hub-none-chosen", f"{', '.join(alive)} up, and no site child is installed"))
    elif plan.place.role is Role.EDGE:
        found += await _narrowed(box, plan)
    # A site child that is refused and asked for again may be seen for a moment: the reason stays.
    found += [finding for name in alive for finding in _told_why(box, name)]
    return found


async def _narrowed(box: Box, plan: Plan) -> list[Finding]:
    """What the hub left out of the site's networks: IKE lets it agree to less than it was asked for."""
    try:
        agreed = await box.charon.list_agreed()
    except DoorError:
        return []
    wished = {*plan.prefixes, *map(host_prefix, plan.overlay)}
    found = []
    for sa in (one for one in agreed if one.name in box.hubs):
        carried = [set(map(ip_network, child.local_ts)) for child in sa.children if child.name == SITE]
        lacking = wished - set().union(*carried) if carried else set()
        if lacking:
            evidence = f"the site child lacks {', '.join(sorted(map(str, lacking)))}"
            found.append(Finding("child-narrowed", evidence, {"peer": sa.name}))
    return found


def _told_why(box: Box, name: str) -> list[Finding]:
    """What charon said when the agent asked for a site child of a tunnel that is up."""
    tunnel = box.agent.snapshot.tunnels.get(name) if box.agent.snapshot else None
    code = reason_code(tunnel.reason) if tunnel else ""
    return [Finding(code, tunnel.reason, {"peer": name})] if tunnel and code else []


async def _watch(box: Box) -> dict[str, Seen]:
    """Several looks: the agent ends a dead tunnel at once and dials anew, so one look may see anything."""
    seen: dict[str, Seen] = {name: Seen() for name in box.hubs}
    for look in range(_LOOKS):
        sas = await box.charon.list_sas()
        for sa in sas:
            if sa.name in seen:
                _note(seen[sa.name], sa)
        if look == 0 and all(one.probe for one in seen.values()) and any(one.site for one in seen.values()):
            break
        await asyncio.sleep(_BETWEEN)
    return seen


def _note(seen: Seen, sa: IkeSa) -> None:
    seen.states[sa.state] = None
    if sa.established:
        seen.established = True
        seen.probe = seen.probe or bool(sa.carrying(PROBE))
        seen.site = seen.site or bool(sa.carrying(SITE))


async def _one(box: Box, plan: Plan, name: str, seen: Seen) -> tuple[list[Finding], bool]:
    """What is wrong with one tunnel, and whether anything comes through it."""
    about = {"peer": name}
    snapshot = box.agent.snapshot
    told = snapshot.tunnels[name].reason if snapshot and name in snapshot.tunnels else ""
    if seen.probe:
        found, alive = await _data_path(box, plan, name)
        if alive:
            return found, True
        down = Finding("tunnel-down", told or "no answer through it", about)
        return [*found, down], False
    await ask_hub(box, name)
    code = reason_code(told)
    if code:
        found = [Finding(code, told, about), Finding("ike-down", told, about)]
    elif seen.established:
        found = [Finding("ike-down", told or "the IKE SA is up, and the probe child is not installed", about)]
    else:
        states = ", ".join(seen.states) or "none"
        found = [Finding("ike-down", told or f"no IKE SA is established (seen: {states})", about)]
    return [*found, Finding("tunnel-down", told or "no IKE SA", about)], False


async def _data_path(box: Box, plan: Plan, name: str) -> tuple[list[Finding], bool]:
    peer = plan.peers[name]
    target, source = ends(plan, peer)
    if target is None:
        return [], True
    lost = await _lost(box, target, source)
    about = {"peer": name}
    if lost == _PINGS:
        evidence = f"SAs are installed; 0 of {_PINGS} pings to {target} came back"
        return [Finding("esp-blocked", evidence, about)], False
    found = []
    if lost >= _LOSSY:
        share = str(round(100 * lost / _PINGS))
        found.append(
            Finding(
                "tunnel-lossy", f"{lost} of {_PINGS} pings to {target} were lost", about | {"loss": share}
            )
        )
    size = plan.tunnel.mtu - _ICMP_AND_IP
    large = await asyncio.gather(*(box.pinger.ping(target, source, _PATIENCE, size) for _ in range(4)))
    if lost < _LOSSY and not any(answer is not None for answer in large):
        evidence = f"0 of 4 pings of {plan.tunnel.mtu} bytes to {target} came back, small ones do"
        found.append(Finding("mtu-black-hole", evidence, about))
    return found, True


def ends(plan: Plan, peer: Peer) -> tuple[Address | None, Address | None]:
    """The peer's overlay address, and ours of the same family; IPv4 first."""
    for version in (4, 6):
        target = next((one for one in peer.overlay if one.version == version), None)
        source = next((one for one in plan.overlay if one.version == version), None)
        if target is not None and source is not None:
            return target, source
    return None, None


async def _lost(box: Box, target: Address, source: Address | None) -> int:
    async def one(number: int) -> bool:
        await asyncio.sleep(number * _SPACING)
        return await box.pinger.ping(target, source, _PATIENCE) is None

    return sum(await asyncio.gather(*(one(number) for number in range(_PINGS))))
