# SPDX-License-Identifier: Apache-2.0
"""Pure: plan and facts to the one nftables table: policy, fail-closed guard, translation and services."""

from collections.abc import Mapping

from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.firewall_rules import chains
from appliance.netcore.desired.firewall_sets import (
    FAMILIES,
    declarations,
    link_elements,
    prefix_elements,
    prefix_sets,
)
from appliance.netcore.desired.interfaces import interfaces
from appliance.netcore.desired.relays import relays
from appliance.netcore.desired.services import service_maps, slot_chains
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Prefix
from appliance.netcore.ruleset import Elements, Ruleset, ruleset
from appliance.netcore.spec import HOLDER


def firewall(plan: Plan, facts: Facts) -> Ruleset:
    """The whole table `inet orillo` for this device."""
    sets = prefix_sets(plan)
    maps = {family.version: service_maps(plan, facts, family.version) for family in FAMILIES}
    lines = [*declarations(sets)]
    for version, service in maps.items():
        lines += slot_chains(service.slots, version)
    lines += chains(plan)
    elements = _links(plan, facts) | _prefixes(sets)
    for version, service in maps.items():
        elements |= {f"services{version}": service.services, f"backends{version}": service.backends}
    return ruleset("\n".join(lines) + "\n", elements)


def _links(plan: Plan, facts: Facts) -> dict[str, Elements]:
    """The links that peers are behind, which of them are to other connectors, and where the fabric's packets
    may go: those, our bridge and our own.
    """
    between = [relay.name for relay in relays(plan).values()]
    tunnels = [one.name for one in interfaces(plan, facts)] + between
    bridge = () if plan.cni is None else (plan.cni.bridge,)
    return {
        "tunnels": link_elements(tunnels),
        "relays": link_elements(between),
        "inside": link_elements({*tunnels, *bridge, HOLDER, "lo"}),
    }


def _prefixes(sets: Mapping[str, tuple[Prefix, ...]]) -> dict[str, Elements]:
    return {
        f"{name}{family.version}": prefix_elements(prefixes, family.version)
        for name, prefixes in sets.items()
        for family in FAMILIES
    }
