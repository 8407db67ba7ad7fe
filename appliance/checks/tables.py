# SPDX-License-Identifier: Apache-2.0
"""What we put into the kernel, whether it is still there, and what other programs put beside it."""

from ipaddress import ip_network

from appliance.checks.box import Box
from appliance.checks.hubs import ask_hubs
from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.interfaces import interfaces
from appliance.netcore.errors import DoorError
from appliance.netcore.health.kind import Finding
from appliance.netcore.kernel.host import Program, programs
from appliance.netcore.kernel.links import running, tun_of
from appliance.netcore.kernel.other_tables import Chain, other_chains
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Prefix, Role
from appliance.netcore.spec import PRIORITY, RouteKind
from appliance.status.told import drifted, tables

#: Routes that let nothing out.
_CLOSED = (RouteKind.UNREACHABLE, RouteKind.BLACKHOLE)


async def ours(box: Box) -> list[Finding]:
    """Routes, rules and firewall of ours."""
    plan = box.plan
    if plan is None:
        return []
    found = []
    there = await box.routes.routes()
    closed = {route.dst for route in there.values() if route.kind in _CLOSED}
    missing = [str(pool) for pool in plan.fabric if pool not in closed]
    if missing:
        found.append(Finding("routes-missing", f"no unreachable route for {', '.join(missing)}"))
    ruled = {key.version for key in await box.routes.rules() if key.priority == PRIORITY}
    lacking = [version for version in (4, 6) if version not in ruled]
    if lacking:
        found.append(Finding("routes-missing", f"no rule 7410 for IPv{' and IPv'.join(map(str, lacking))}"))
    try:
        if not await box.once("our-table", box.nft.exists):
            found.append(Finding("firewall-own-missing", "there is no table inet orillo"))
    except DoorError:
        pass  # The kernel's check says so.
    snapshot = box.agent.snapshot
    if snapshot is None:
        return found
    fights = [finding for finding in drifted(snapshot) if finding.code == "drift-repeated"]
    return [*found, *tables(snapshot), *fights]


async def bypassed(box: Box) -> list[Finding]:
    """Rules of others that take packets for peers elsewhere, and local networks inside the fabric."""
    plan = box.plan
    if plan is None or plan.place.role is Role.CLOUD_NODE:
        return []
    found = []
    for rule in await box.uplinks.rules_before_ours():
        stray = await _stray(box, plan, rule.version)
        if stray:
            about = {"priority": str(rule.priority)}
            found.append(Finding("rules-bypassed", f"{rule}: {stray}", about))
            break
    for one in await box.routes.connected():
        if any(overlaps(one.prefix, pool) for pool in plan.fabric) and not _is_own(plan, one.prefix):
            where = f"{one.prefix} is on {one.device}"
            found.append(Finding("route-overlap", where, {"prefix": str(one.prefix)}))
    return found


def overlaps(one: Prefix, other: Prefix) -> bool:
    """Whether two prefixes share an address."""
    return one.version == other.version and one.overlaps(other)


def _is_own(plan: Plan, prefix: Prefix) -> bool:
    own = (*plan.prefixes, *(ip_network(address) for address in plan.overlay))
    return any(overlaps(prefix, one) for one in own)


async def _stray(box: Box, plan: Plan, version: int) -> str:
    """A peer's address that the kernel would send out of another device than ours; empty if none."""
    facts = Facts(tun=tun_of(box.paths.charon_pid))
    inner = {one.name for one in interfaces(plan, facts)} | {facts.tun}
    for name, peer in plan.peers.items():
        # The underlay is where the cloud's own nodes belong.
        if peer.underlay:
            continue
        for address in (one for one in peer.overlay if one.version == version):
            way = await box.uplinks.way(address)
            if way is not None and way.device not in inner and not way.device.startswith("orillo"):
                return f"{address} of {name} would leave by {way.device}"
    return ""


async def firewalls(box: Box) -> list[Finding]:
    """Other programs' chains that drop what we need."""
    plan = box.plan
    if plan is None:
        return []
    try:
        chains = await box.once("others", other_chains)
    except DoorError:
        return []
    found = judge_forward(plan, chains)
    asked = await ask_hubs(box)
    deaf = bool(asked) and not any(one.answers for one in asked.values())
    return found + (judge_input(chains) if deaf else [])


def judge_forward(plan: Plan, chains: tuple[Chain, ...]) -> list[Finding]:
    """Chains in the forward hook that let nothing of the pods pass."""
    if plan.cni is None:
        return []
    marks = (plan.cni.bridge, *map(str, plan.prefixes))
    found = []
    for chain in (one for one in chains if one.hook == "forward"):
        about = {"table": chain.table, "bridge": plan.cni.bridge}
        table = [rule for one in chains if one.table == chain.table for rule in one.rules]
        if chain.policy == "drop" and not any(_accepts(rule, marks) for rule in table):
            evidence = f"table {chain.table}, chain {chain.name}: policy drop, and no rule for the pods"
            found.append(Finding("firewall-foreign-forward", evidence, about))
        elif blocking := next((rule for rule in chain.rules if _drops(rule, marks)), ""):
            evidence = f"table {chain.table}, chain {chain.name}: {blocking}"
            found.append(Finding("firewall-foreign-forward", evidence, about))
    return found[:1]


def judge_input(chains: tuple[Chain, ...]) -> list[Finding]:
    """Chains in the input hook that drop the answers of hubs."""
    for chain in (one for one in chains if one.hook in ("input", "prerouting")):
        table = [rule for one in chains if one.table == chain.table for rule in one.rules]
        lets_answers_in = any("established" in rule and "accept" in rule for rule in table)
        blocking = next((r for r in chain.rules if _drops(r, ("4500", "500", "udp"))), "")
        if blocking or (chain.policy == "drop" and not lets_answers_in):
            evidence = f"table {chain.table}, chain {chain.name}: {blocking or 'policy drop'}"
            return [Finding("firewall-foreign-input", evidence, {"table": chain.table})]
    return []


def _accepts(rule: str, marks: tuple[str, ...]) -> bool:
    verdict = rule.split("comment")[0].strip()
    if not verdict.endswith("accept"):
        return False
    matches_all = without_counters(verdict) == "accept"
    return matches_all or any(mark in rule for mark in marks)


def without_counters(rule: str) -> str:
    """The rule without its counters, which match everything."""
    words = rule.split()
    while words[:1] == ["counter"]:
        words = words[5:] if words[1:2] == ["packets"] else words[1:]
    return " ".join(words)


def _drops(rule: str, marks: tuple[str, ...]) -> bool:
    drops = rule.endswith("drop") or " reject" in f" {rule}"
    return drops and (without_counters(rule) in ("drop", "reject") or any(mark in rule for mark in marks))


#: Programs that work on the same things as we do, by the kernel's name of the process.
NEIGHBOURS = {
    "charon": "neighbour-charon",
    "charon-systemd": "neighbour-charon",
    "pluto": "neighbour-charon",
    "iked": "neighbour-charon",
    "firewalld": "neighbour-firewall",
    "dockerd": "neighbour-firewall",
    "ufw": "neighbour-firewall",
    "kube-proxy": "neighbour-kube-proxy",
    "k3s-server": "neighbour-kube-proxy",
    "NetworkManager": "neighbour-network",
    "connmand": "neighbour-network",
    "dhcpcd": "neighbour-network",
}


async def neighbours(box: Box) -> list[Finding]:
    """Who else is on the box and in its network namespace."""
    own = running(box.paths.charon_pid, "charon")
    return judge_neighbours(programs(), own)


def judge_neighbours(seen: tuple[Program, ...], own_charon: int | None) -> list[Finding]:
    """One finding for each kind of neighbour and name; our own charon is none."""
    found: dict[str, Finding] = {}
    for program in seen:
        code = NEIGHBOURS.get(program.name)
        if code is not None and program.pid != own_charon:
            about = {"program": program.name}
            found.setdefault(program.name, Finding(code, f"{program.name} is process {program.pid}", about))
    return list(found.values())
