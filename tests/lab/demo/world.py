# SPDX-License-Identifier: Apache-2.0
"""All that the checks work on: the running demo."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.capture import Capture
from tests.lab.conditions import RelayedLink
from tests.lab.demo.topology import CONNECTORS, weak_link
from tests.lab.device import Device
from tests.lab.lan import LanHost
from tests.lab.namespaces import Namespaces
from tests.lab.operator import Operator
from tests.lab.pods import Pod
from tests.lab.residue import HostState
from tests.lab.topology import Address, Topology
from tests.lab.traffic import Stream, stream
from tests.lab.wait import until


@dataclass
class World:
    """The hosts, daemons and pods of one demo.

    `tokens` are the spent ones; `before` is each host as it was untouched.
    """

    workdir: Path
    topology: Topology
    namespaces: Namespaces
    operator: Operator
    devices: dict[str, Device]
    internet: Capture
    till: LanHost
    machine_resolvers: str
    pods: dict[str, Pod] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    before: dict[str, HostState] = field(default_factory=dict)
    _streams: int = 0

    @property
    def manifests(self) -> Path:
        return self.workdir / "manifests"

    @property
    def captures(self) -> Path:
        return self.workdir / "captures"

    def uplink(self, edge: str) -> RelayedLink:
        """The weak link of an edge's site."""
        return self.namespaces.relayed(weak_link(edge))

    def stream(self, pod: str, target: Address, interval: float = 0.1) -> Stream:
        """Steady echo requests from a pod."""
        self._streams += 1
        log = self.workdir / "streams" / f"{self._streams:03}-{pod}.log"
        return stream(self.pods[pod].ns, target, log, interval)

    def hub_of(self, edge: str) -> str:
        """The connector whose site child carries this edge's traffic; empty for none."""
        return str(self.devices[edge].status().get("hub") or "")

    def wait_for_tunnels(self, edge: str, seconds: float, hub: str = "") -> None:
        """Wait until an edge has all tunnels up, `hub`, or any, carries its traffic, and traffic flows."""

        def settled() -> bool:
            status = self.devices[edge].status()
            tunnels = status.get("tunnels", {})
            up = [name for name in CONNECTORS if tunnels.get(name, {}).get("up")]
            chosen = status.get("hub") or ""
            return len(up) == len(CONNECTORS) and bool(chosen) and hub in ("", chosen)

        deadline = time.monotonic() + seconds
        what = f"{edge} has both tunnels{f' and uses {hub}' if hub else ''}"
        until(settled, what, seconds, 0.3, explain=self.ended)
        pod, cloud = self.pods[edge], self.pods["cloud"]
        left = max(5.0, deadline - time.monotonic())
        until(lambda: pod.ping(cloud.v4, count=1), f"{edge} reaches the cloud", left, 0.1, explain=self.ended)

    def ended(self) -> str:
        """Which daemons ended by themselves, with their last words; empty if none did."""
        return "; ".join(device.ended() for device in self.devices.values() if device.ended())
