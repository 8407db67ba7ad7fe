# SPDX-License-Identifier: Apache-2.0
"""What every check works on: the doors, what the device holds on disk, and what its agent says."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from appliance.netcore.charon.door import Charon
from appliance.netcore.dnscache.control import UnboundControl
from appliance.netcore.errors import DoorError
from appliance.netcore.health.kind import Finding
from appliance.netcore.kernel.nft import NftTable
from appliance.netcore.kernel.resolv import name_servers
from appliance.netcore.kernel.rtnetlink import Netlink
from appliance.netcore.kernel.rtnetlink_routes import RouteDoor
from appliance.netcore.kernel.sysctl import SysctlDoor
from appliance.netcore.kernel.uplinks import UplinkDoor
from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.plan.values import Address, Role
from appliance.netcore.probe.icmp import Pinger
from appliance.paths import Paths
from appliance.settings import SettingsError, load_settings
from appliance.status import client
from appliance.status.client import NotRunningError
from appliance.status.model import Snapshot
from appliance.sync.identity import DeviceIdentity, load_identity
from appliance.sync.store import PlanStore

T = TypeVar("T")


@dataclass(frozen=True)
class OnDisk:
    """What is on disk, and why some of it can't be used."""

    device: DeviceIdentity | None = None
    identity_fault: str = ""
    plan: Plan | None = None
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Agent:
    """The agent, asked over its socket. `silent` is why one that runs gave no answer."""

    running: bool = False
    snapshot: Snapshot | None = None
    silent: str = ""


@dataclass
class Box:
    """One examination's view of the device. What several checks need is measured once, by `once`."""

    paths: Paths
    held: OnDisk
    agent: Agent
    resolvers: tuple[Address, ...]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    _tasks: dict[Hashable, asyncio.Task[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.netlink = Netlink()
        self.uplinks = UplinkDoor(self.netlink)
        self.routes = RouteDoor(self.netlink)
        self.sysctl = SysctlDoor()
        self.nft = NftTable()
        self.charon = Charon(self.paths.vici_socket)
        self.unbound = UnboundControl(self.paths.unbound_control, timeout=2.0)
        self.pinger = Pinger()

    @property
    def plan(self) -> Plan | None:
        return self.held.plan

    @property
    def role(self) -> Role | None:
        return self.plan.place.role if self.plan else None

    @property
    def hubs(self) -> dict[str, Peer]:
        """The peers that this device dials: an edge's hubs, and on a connector those next to it."""
        if self.plan is None:
            return {}
        if self.plan.place.role is Role.EDGE:
            return self.plan.hubs
        if self.plan.place.role is Role.CLOUD_NODE:
            return {}
        own = self.plan.identity.name
        peers = self.plan.peers.items()
        return {name: p for name, p in peers if p.role is Role.CONNECTOR and p.addresses and own < name}

    async def once(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """What `make` gives, made by whoever asks first; all others wait for the same."""
        if key not in self._tasks:
            self._tasks[key] = asyncio.ensure_future(make())
        # Shielded: one check that runs out of time must not take the measurement from the others.
        result: T = await asyncio.shield(self._tasks[key])
        return result

    async def close(self) -> None:
        """End what still runs, and close the sockets."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self.netlink.close()
        self.pinger.close()


def open_box(paths: Paths, agent: Agent | None = None) -> Box:
    """Read what is on disk, and ask the agent unless the caller is it."""
    held = read_on_disk(paths)
    asked = agent if agent is not None else ask_agent(paths)
    return Box(paths, held, asked, resolvers_of(paths, held.plan))


def resolvers_of(paths: Paths, plan: Plan | None) -> tuple[Address, ...]:
    """The name servers to ask: the owner's choice, or the host's own."""
    try:
        chosen = load_settings(paths.settings).dns.resolvers
    except SettingsError:
        chosen = ()
    return chosen or name_servers(paths.resolv_conf, plan.dns.bind if plan else ())


def read_on_disk(paths: Paths) -> OnDisk:
    """Identity and plan."""
    try:
        device = load_identity(paths)
    except DoorError as error:
        return OnDisk(identity_fault=str(error))
    if device is None:
        return OnDisk()
    loaded = PlanStore(paths.plans, device.plan_keys, device.identity).load()
    return OnDisk(device, "", loaded.held.plan if loaded.held else None, loaded.refused)


def ask_agent(paths: Paths) -> Agent:
    """The agent's snapshot."""
    try:
        return Agent(True, client.status(paths.status_socket, timeout=2.0))
    except NotRunningError:
        return Agent()
    except DoorError as error:
        return Agent(True, None, str(error))


@dataclass(frozen=True)
class Check:
    """One matter to look at. `title` stands in the list of progress, English and Chinese.

    `cheap`: local and quick, so that the agent does it all day. `deadline` is in seconds.
    """

    name: str
    title: tuple[str, str]
    run: Callable[[Box], Awaitable[list[Finding]]]
    deadline: float = 4.0
    cheap: bool = False
