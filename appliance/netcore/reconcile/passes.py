# SPDX-License-Identifier: Apache-2.0
"""All tables in boot order: what must never be open is closed first, what needs a daemon comes last.

No step waits for the network, the clock or the cloud, and no step's failure keeps the next from its turn.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.netcore.desired.bridge import gateways
from appliance.netcore.desired.cni import CONFLIST, files
from appliance.netcore.desired.connections import connections
from appliance.netcore.desired.credentials import credentials
from appliance.netcore.desired.dns import forwards, records, unbound_conf
from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.firewall import firewall
from appliance.netcore.desired.links import links, relay_links
from appliance.netcore.desired.routes import routes, rules
from appliance.netcore.desired.strongswan import charon_files
from appliance.netcore.desired.sysctls import sysctls
from appliance.netcore.kernel.files import read_text, stamp
from appliance.netcore.kernel.nft_generation import generation
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Role
from appliance.netcore.reconcile.bridge import GatewayTable
from appliance.netcore.reconcile.charon_conf import CharonConfTable
from appliance.netcore.reconcile.connections import ConnectionTable, CredentialTable
from appliance.netcore.reconcile.dns import RECORDS, ConfTable, ForwardTable, RecordTable
from appliance.netcore.reconcile.doors import Doors
from appliance.netcore.reconcile.files import FileTable
from appliance.netcore.reconcile.firewall import FIREWALL, FirewallTable
from appliance.netcore.reconcile.links import LinkTable
from appliance.netcore.reconcile.remembered import digest
from appliance.netcore.reconcile.routes import RouteTable, RuleTable
from appliance.netcore.reconcile.sysctls import SysctlTable
from appliance.netcore.reconcile.table import Outcome, Table, reconcile
from appliance.netcore.spec import OWN_TABLE, TABLE


@dataclass(frozen=True)
class Wish:
    """What all tables are compiled from. `leaf` is our certificate in PEM, empty without an identity."""

    plan: Plan
    facts: Facts
    leaf: str


@dataclass(frozen=True)
class Step:
    """One table's turn in a pass."""

    name: str
    run: Callable[[Wish], Awaitable[Outcome]]


def boot_order(doors: Doors) -> tuple[Step, ...]:
    """The steps of a pass.

    The links between connectors are made, and forwarding is switched on (sysctls), only when nothing can
    leave in clear any more: after the unreachable routes and the firewall. A new link says things by itself,
    and what is said on these would go out unencrypted; routes over them come with the next pass. The first
    pod's bridge plug-in switches forwarding on too, so the conflist comes after our sysctls, which remember
    what was there before.
    """
    paths = doors.paths
    key = paths.identity / "key.pem"
    return (
        _step("links", LinkTable(doors.links), lambda w: links(w.plan, w.facts)),
        _step("routes", RouteTable(doors.routes), lambda w: routes(w.plan, w.facts)),
        _step("rules", RuleTable(doors.routes), lambda w: rules(w.plan)),
        _step("firewall", FirewallTable(doors.nft), lambda w: {FIREWALL: firewall(w.plan, w.facts)}),
        _small("pod-gateways", GatewayTable(doors.bridge), lambda w: gateways(w.plan, w.facts)),
        _step("hub-links", LinkTable(doors.links, relays=True), lambda w: relay_links(w.plan)),
        _small("sysctls", SysctlTable(doors.sysctl, paths.sysctl_before), lambda w: sysctls(w.plan, w.facts)),
        _small("cni", FileTable([paths.cni / CONFLIST]), lambda w: files(w.plan, paths)),
        _step(
            "dns",
            ConfTable(doors.unbound, paths.unbound_conf),
            lambda w: {paths.unbound_conf: unbound_conf(w.plan, w.facts, paths)},
        ),
        _step("dns-records", RecordTable(doors.unbound), lambda w: {RECORDS: records(w.plan)}),
        _step("dns-forwards", ForwardTable(doors.unbound), lambda w: forwards(w.plan, w.facts)),
        _ike(
            _small(
                "charon",
                CharonConfTable(doors.charon, paths.strongswan_conf),
                lambda w: charon_files(w.plan, w.facts, paths),
            )
        ),
        _ike(_step("credentials", CredentialTable(doors.charon), lambda w: credentials(w.plan, w.leaf, key))),
        _ike(_step("connections", ConnectionTable(doors.charon), lambda w: connections(w.plan, w.facts))),
    )


def signs(doors: Doors) -> dict[str, Callable[[], Awaitable[object]]]:
    """What tells, by the name of a step, whether its table was touched; for `unmoved.Passes`."""
    paths = doors.paths

    async def kernel() -> object:
        return await doors.netlink.digest((TABLE, OWN_TABLE))

    async def nftables() -> object:
        return generation()

    async def charon() -> object:
        return (await doors.charon.stats()).uptime, read_text(paths.charon_pid)

    async def loaded() -> object:
        # What somebody loaded or unloaded; a connection that was changed in place is found by the clock.
        return await charon(), digest("\0".join(sorted(await doors.charon.connection_names())))

    async def unbound() -> object:
        return await doors.unbound.instance()

    async def conf() -> object:
        return await unbound(), stamp(paths.unbound_conf)

    of_kernel = dict.fromkeys(("links", "routes", "rules", "hub-links"), kernel)
    of_charon = {"credentials": charon, "connections": loaded}
    of_unbound = dict.fromkeys(("dns-records", "dns-forwards"), unbound)
    return {**of_kernel, **of_charon, **of_unbound, "firewall": nftables, "dns": conf}


async def one_pass(steps: tuple[Step, ...], wish: Wish) -> dict[str, Outcome]:
    """Every table once, in order; what came of each."""
    return {step.name: await step.run(wish) for step in steps}


def _step(name: str, table: Table[Any, Any], desired: Callable[[Wish], Mapping[Any, Any]]) -> Step:
    async def run(wish: Wish) -> Outcome:
        return await reconcile(table, desired(wish))

    return Step(name, run)


def _small(name: str, table: Table[Any, Any], desired: Callable[[Wish], Mapping[Any, Any]]) -> Step:
    """A table that is looked at in every pass. It is a few objects, so they are kept for the same wish."""
    kept: tuple[Wish, Mapping[Any, Any]] | None = None

    async def run(wish: Wish) -> Outcome:
        nonlocal kept
        if kept is None or not same(wish, kept[0]):
            kept = (wish, desired(wish))
        return await reconcile(table, kept[1])

    return Step(name, run)


def same(wish: Wish, before: Wish) -> bool:
    """Whether two wishes are one: of the very same plan, since two that are equal are too long to compare."""
    return wish.plan is before.plan and (wish.facts, wish.leaf) == (before.facts, before.leaf)


def _ike(step: Step) -> Step:
    """A cloud-node has no tunnels, and who has no certificate can't make one: no charon to ask."""

    async def run(wish: Wish) -> Outcome:
        idle = wish.plan.place.role is Role.CLOUD_NODE or not wish.leaf
        return Outcome() if idle else await step.run(wish)

    return Step(step.name, run)
