# SPDX-License-Identifier: Apache-2.0
"""The one list of all conditions, from the box outwards: what comes first explains what comes later."""

from appliance.netcore.health.kind import Kind
from appliance.netcore.health.kinds_box import BOX
from appliance.netcore.health.kinds_control import CONTROL
from appliance.netcore.health.kinds_site import SITE
from appliance.netcore.health.kinds_tunnels import TUNNELS
from appliance.netcore.health.kinds_uplink import UPLINK

CATALOGUE: tuple[Kind, ...] = (*BOX, *UPLINK, *CONTROL, *TUNNELS, *SITE)
KINDS = {kind.code: kind for kind in CATALOGUE}
