# SPDX-License-Identifier: Apache-2.0
"""The conflist of the pod network."""

import json
from pathlib import Path

import msgspec

from appliance.netcore.desired.cni import files
from appliance.netcore.plan.model import Cni
from appliance.paths import Paths
from tests.unit.plan.plans import edge_plan

PATHS = Paths(Path("/root-of-test"))
PLAN = msgspec.structs.replace(edge_plan(), cni=Cni(bridge="br-test", mtu=1380))
CONFLIST = Path("/root-of-test/etc/cni/net.d/10-orillo.conflist")


def test_a_device_without_pod_network_gets_no_file() -> None:
    assert files(edge_plan(), PATHS) == {}


def test_the_conflist_says_what_the_plan_says() -> None:
    assert list(files(PLAN, PATHS)) == [CONFLIST]
    document = json.loads(files(PLAN, PATHS)[CONFLIST].data)
    assert (document["cniVersion"], document["name"]) == ("1.0.0", "orillo")
    bridge, portmap, bandwidth = document["plugins"]
    assert bridge == {
        "type": "bridge",
        "bridge": "br-test",
        "isDefaultGateway": True,
        "hairpinMode": True,
        "mtu": 1380,
        "ipam": {
            "type": "host-local",
            "dataDir": "/root-of-test/var/lib/orillo/cni",
            "ranges": [[{"subnet": "10.200.1.0/24"}], [{"subnet": "fd00:200:0:1::/64"}]],
        },
    }
    assert portmap == {"type": "portmap", "capabilities": {"portMappings": True}}
    assert bandwidth == {"type": "bandwidth", "capabilities": {"bandwidth": True}}


def test_equal_plans_give_equal_bytes() -> None:
    assert files(PLAN, PATHS) == files(msgspec.structs.replace(PLAN, generation=9), PATHS)
