# SPDX-License-Identifier: Apache-2.0
"""The conflist of the pod network: Debian's standard plug-ins, configured from the plan.

The format is CNI's, version 1.0.0; the settings are those of the plug-ins bridge, host-local, portmap and
bandwidth.
"""

import json
from pathlib import Path

from appliance.netcore.plan.model import Cni, Plan
from appliance.netcore.plan.values import Prefix
from appliance.netcore.spec import File
from appliance.paths import Paths

#: Sorts before what other networks install; runtimes take the first file of the directory.
CONFLIST = "10-orillo.conflist"


def files(plan: Plan, paths: Paths) -> dict[Path, File]:
    """The wanted conflist, under its path; none if the plan has no pod network for this device."""
    if plan.cni is None:
        return {}
    return {paths.cni / CONFLIST: File(conflist(plan.cni, plan.prefixes, paths.cni_leases))}


def conflist(cni: Cni, prefixes: tuple[Prefix, ...], leases: Path) -> bytes:
    """The conflist's bytes. `leases` is where host-local keeps its addresses over a reboot."""
    bridge = {
        "type": "bridge",
        "bridge": cni.bridge,
        "isDefaultGateway": True,
        # A pod may be its own service's backend; what comes back goes out of the port it came from.
        "hairpinMode": True,
        "mtu": cni.mtu,
        "ipam": {
            "type": "host-local",
            "dataDir": str(leases),
            "ranges": [[{"subnet": str(prefix)}] for prefix in prefixes],
        },
    }
    document = {
        "cniVersion": "1.0.0",
        "name": "orillo",
        "plugins": [
            bridge,
            {"type": "portmap", "capabilities": {"portMappings": True}},
            {"type": "bandwidth", "capabilities": {"bandwidth": True}},
        ],
    }
    return json.dumps(document, indent=2).encode() + b"\n"
