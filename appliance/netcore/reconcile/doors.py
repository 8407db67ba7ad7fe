# SPDX-License-Identifier: Apache-2.0
"""The doors of one box, opened together, and one look through those that only see."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from appliance.netcore.charon.door import Charon
from appliance.netcore.desired.connections import turned
from appliance.netcore.desired.facts import Facts
from appliance.netcore.desired.strongswan import ipsec_of
from appliance.netcore.dnscache.control import UnboundControl
from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.links import tun_of
from appliance.netcore.kernel.nft import NftTable
from appliance.netcore.kernel.nft_generation import generation
from appliance.netcore.kernel.resolv import name_servers
from appliance.netcore.kernel.rtnetlink import Netlink, is_there
from appliance.netcore.kernel.rtnetlink_bridge import BridgeDoor
from appliance.netcore.kernel.rtnetlink_links import LinkDoor
from appliance.netcore.kernel.rtnetlink_routes import RouteDoor
from appliance.netcore.kernel.sysctl import SysctlDoor
from appliance.netcore.plan.model import Peer, Plan
from appliance.netcore.plan.values import Address
from appliance.netcore.spec import Capability, Ipsec
from appliance.paths import Paths


@dataclass(frozen=True)
class Doors:
    """Every way out of the process that the reconcilers use. `async with` closes what is open."""

    paths: Paths
    netlink: Netlink
    links: LinkDoor
    routes: RouteDoor
    bridge: BridgeDoor
    sysctl: SysctlDoor
    nft: NftTable
    charon: Charon
    unbound: UnboundControl

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.netlink.close()


def open_doors(paths: Paths, sysctls: Path = Path("/proc/sys")) -> Doors:
    """The doors of the box whose files are below `paths`, and its kernel settings below `sysctls`."""
    netlink = Netlink()
    return Doors(
        paths=paths,
        netlink=netlink,
        links=LinkDoor(netlink),
        routes=RouteDoor(netlink),
        bridge=BridgeDoor(netlink),
        sysctl=SysctlDoor(sysctls),
        nft=NftTable(generation=generation),
        charon=Charon(paths.vici_socket),
        unbound=UnboundControl(paths.unbound_control),
    )


async def look(
    doors: Doors,
    plan: Plan,
    capability: Capability,
    resolvers: tuple[Address, ...],
    turns: Mapping[str, int] = MappingProxyType({}),
) -> Facts:
    """What the kernel and charon say of the box; hub, owners and dead backends are others' to add.

    `resolvers` are the owner's choice of name servers; none leaves it to the host's own. `turns` are as in
    `Facts`. Raises `DoorError`.
    """
    connected = await doors.routes.connected()
    uplinks = tuple(dict.fromkeys(one.device for one in connected))
    return Facts(
        ipsec=await _ipsec(doors, capability),
        tun=tun_of(doors.paths.charon_pid),
        sources=await _sources(doors, plan, turns),
        connected=tuple(one.prefix for one in connected),
        uplinks=uplinks,
        advertised=doors.sysctl.advertised(uplinks),
        resolvers=resolvers or name_servers(doors.paths.resolv_conf, plan.dns.bind),
        bridge=plan.cni is not None and is_there(plan.cni.bridge),
        turns=turns,
    )


async def _ipsec(doors: Doors, capability: Capability) -> Ipsec:
    """How charon does it; while none answers, how the next one will.

    One that hangs is told of by its own tables. It must not keep the others from their turn.
    """
    try:
        return ipsec_of((await doors.charon.stats()).plugins)
    except DoorError:
        return capability.ipsec


async def _sources(doors: Doors, plan: Plan, turns: Mapping[str, int]) -> dict[str, Address]:
    """Our own address towards every peer that we may dial, where there is a route to it."""
    found: dict[str, Address] = {}
    for name, peer in plan.peers.items():
        for address in _literals(peer, turns.get(name, 0)):
            source = await doors.routes.source_towards(address)
            if source is not None:
                found[name] = source
                break
    return found


def _literals(peer: Peer, turns: int) -> Iterator[Address]:
    """Where the peer may be dialled, in order. Of a DNS name nothing is known here: charon resolves it."""
    for text in turned(peer.addresses, turns):
        try:
            yield ip_address(text)
        except ValueError:
            continue
