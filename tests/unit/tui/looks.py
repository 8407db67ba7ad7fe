# SPDX-License-Identifier: Apache-2.0
"""What a daemon answers to the screens' own questions, as it comes over the socket."""

from collections.abc import Mapping
from typing import Any

from appliance.netcore.plan.values import Path, Role, builtins
from appliance.status.views import (
    Keys,
    LogLine,
    Logs,
    NameCache,
    NameServer,
    Peers,
    PeerWay,
    Plans,
    Pod,
    PodNetwork,
    Range,
    Slot,
    Uplink,
    Uplinks,
    Waiting,
)
from appliance.tui.state import Known, answered
from tests.unit.status.snapshots import NOW

UPLINKS = Uplinks(
    (
        Uplink("eth0", True, True, 1500, "02:00:00:00:00:01", ("192.168.1.10/24",), ("192.168.1.1",)),
        Uplink("wwan0", True, False, 1500),
        Uplink("eth1", False, False, 1500),
    )
)
PEERS = Peers(
    (
        PeerWay("connector-1", Role.CONNECTOR, Path.HUB, "connector-1", True),
        PeerWay("connector-2", Role.CONNECTOR, Path.HUB, "connector-2", True),
        PeerWay("shop2", Role.EDGE, Path.HUB, "connector-1", True, ("10.200.2.0/24",)),
    ),
    3,
)
CACHE = NameCache(
    uptime=7200.0,
    queries=1000,
    hits=930,
    misses=70,
    expired=2,
    failed=1,
    slow=3,
    average=0.084,
    median=0.012,
    waiting=(Waiting("slow.example.com.", "A", 3.76, "wait for 192.0.2.97"),),
    servers=(NameServer("192.0.2.97", ".", 0.376, 3), NameServer("192.0.2.98", ".", 0.02)),
    listens=("169.254.20.10",),
    domain="cluster.local",
)
PODS = PodNetwork(
    conflist="ok",
    file="/etc/cni/net.d/10-orillo.conflist",
    bridge="br-orillo",
    bridge_up=True,
    bridge_mtu=1400,
    mtu=1400,
    addresses=("10.200.1.1",),
    ranges=(Range("10.200.1.0/24", 253, 2), Range("fd00:200:0:1::/64", 2**63, 2)),
    links=2,
    pods=(
        Pod("0f1e2d3c4b5a69", "eth0", "default/web-0", ("10.200.1.5",), "02:00:00:00:00:05", "reachable"),
        Pod("aabbccddeeff00", "eth0", "", ("10.200.1.6",), "02:00:00:00:00:06", "failed"),
    ),
)
LOGS = Logs(
    "run1",
    (
        LogLine(1, NOW, "info", "run", "ESP: libipsec"),
        LogLine(2, NOW, "warning", "sync.follow", "control endpoint: offline"),
        LogLine(3, NOW, "error", "run", "routes: refused"),
    ),
)
PLANS = Plans(
    plan={"generation": 12, "author": "bob", "peers": {"shop2": {}, "shop3": {}}},
    before={"generation": 11, "author": "ann", "peers": {"shop2": {}}},
    slot=Slot("b", NOW),
    slot_before=Slot("a", NOW),
)
KEYS = Keys(next="cd" * 32, current="ef" * 32)
LOOKS: Mapping[str, Mapping[str, Any]] = {
    "uplinks": builtins(UPLINKS),
    "peers": builtins(PEERS),
    "dns": builtins(CACHE),
    "pods": builtins(PODS),
    "logs": builtins(LOGS),
    "plan": builtins(PLANS),
    "keys": builtins(KEYS),
}
LOOKUP = {
    "name": "www.example.com",
    "server": "169.254.20.10",
    "source": "forward",
    "code": "NOERROR",
    "addresses": ["192.0.2.7"],
    "seconds": 0.0421,
    "servers": ["192.0.2.98"],
}
PROBE = {"peer": "connector-1", "address": "10.255.0.11", "sent": 5, "rtts": [0.002, 0.003], "size": 1400}


def with_looks(known: Known) -> Known:
    """All of it is known."""
    for op, answer in LOOKS.items():
        known = answered(known, op, answer)
    return known
