# SPDX-License-Identifier: Apache-2.0
"""Does a tunnel lead to a peer behind a hub? Asked only for peers whose services are to spill over.

The hub's own tunnel says nothing of the far one, and only the two ends are sure to know the policy: an echo
from overlay address to overlay address goes the whole way that a service's packets would.
"""

from collections.abc import Callable, Mapping

from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.probe.hubs import Ping, Target, TunnelProbes
from appliance.netcore.tunnel import Health

#: Seconds between two echoes to a peer that answers; one that is lost is followed by the next at once.
INTERVAL = 2.0


class PeerProbes:
    """`changed` is called when a verdict changes."""

    def __init__(self, ping: Ping, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        self._probes = TunnelProbes(ping, clock, lambda _name: changed())

    def aim(self, plan: Plan, peers: Mapping[str, Peer]) -> None:
        """Ask these from now on, and nobody else."""
        targets = {name: target for name, peer in peers.items() if (target := _target(plan, peer))}
        self._probes.aim(targets, INTERVAL, plan.tunnel.probe_misses)

    @property
    def silent(self) -> frozenset[str]:
        """Those that do not answer any more."""
        found = self._probes.reach().items()
        return frozenset(name for name, reach in found if reach.health is Health.DEAD)

    async def close(self) -> None:
        """Stop asking."""
        await self._probes.close()


def _target(plan: Plan, peer: Peer) -> Target | None:
    for source in plan.overlay:
        for address in peer.overlay:
            if address.version == source.version:
                return Target(address, source, tunnel="")
    return None
