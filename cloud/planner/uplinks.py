# SPDX-License-Identifier: Apache-2.0
"""How tunnels behave over each kind of line: how patient they are, and how much they say.

A hub keeps the profile of its own line; only how often it asks whether an edge lives follows the edge's.
"""

from appliance.netcore.plan.model import Tunnel
from appliance.netcore.plan.values import Uplink

#: An IKE message is given up after 6, 7, 14 and 23 s; probes see a dead tunnel within 3, 3, 6 and 8 s.
#: Carriers wrap the packets of radio links once more, so those are smaller.
PROFILES = {
    Uplink.WIRED: Tunnel(),
    Uplink.WIFI: Tunnel(retransmit_tries=4, retransmit_base=1.2, dpd_delay=3),
    Uplink.LTE: Tunnel(
        retransmit_tries=4,
        retransmit_timeout=1.5,
        retransmit_base=1.3,
        dpd_delay=10,
        probe_interval=2.0,
        mtu=1340,
    ),
    # A geostationary satellite answers after 0.6 s at the earliest, and rain costs seconds.
    Uplink.SATELLITE: Tunnel(
        retransmit_tries=4,
        retransmit_timeout=2.5,
        retransmit_base=1.3,
        dpd_delay=10,
        probe_interval=2.0,
        probe_misses=4,
        failback_after=60,
        mtu=1340,
    ),
}


def dpd_for(own: Uplink, peer: Uplink) -> int | None:
    """How often to ask a peer on that line whether it lives, where that is not what our own line has."""
    delay = PROFILES[peer].dpd_delay
    return None if delay == PROFILES[own].dpd_delay else delay
