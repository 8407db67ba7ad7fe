# SPDX-License-Identifier: Apache-2.0
"""What the box sees of itself: the other half of what the desired tables are compiled from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.netcore.plan.values import Address, Prefix
from appliance.netcore.spec import Ipsec

__all__ = ["Facts", "Ipsec"]


@dataclass(frozen=True)
class Facts:
    """One look at the box. Empty facts are honest: nothing seen yet, and what needs it waits.

    `ipsec` and `tun` are None while no charon answers (`tun` also with ESP in the kernel). `sources` is our
    own address towards a hub, by its name. `connected` are the prefixes on links that are not ours,
    `uplinks` those links, and `advertised` those of them that take IPv6 router advertisements. `hub` is the
    hub whose site child carries our traffic. `probed` are the edges that keep a tunnel to this connector,
    whoever carries their traffic. `owners` says which connector carries an edge's traffic
    (connectors and cloud-nodes know it). `dead` are backends to be passed over: local ones whose probe
    failed, and those at a peer that a community spills from while no tunnel leads there. `resolvers` are the
    host's own name servers. `bridge`: the pods' bridge is there. `turns` says of a peer how many of its
    addresses were dialled in vain.
    """

    ipsec: Ipsec | None = None
    tun: str | None = None
    sources: Mapping[str, Address] = field(default_factory=dict)
    connected: tuple[Prefix, ...] = ()
    uplinks: tuple[str, ...] = ()
    advertised: tuple[str, ...] = ()
    hub: str | None = None
    probed: frozenset[str] = frozenset()
    owners: Mapping[str, str] = field(default_factory=dict)
    dead: frozenset[tuple[Address, int]] = frozenset()
    resolvers: tuple[Address, ...] = ()
    bridge: bool = False
    turns: Mapping[str, int] = field(default_factory=dict)
