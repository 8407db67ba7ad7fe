# SPDX-License-Identifier: Apache-2.0
"""What a hub answers, on the outside: measured once for all checks that need it."""

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import ip_address

from appliance.checks.box import Box
from appliance.netcore.plan.values import Address
from appliance.netcore.probe.ike import Answer, ask

_PATIENCE = 2.5


@dataclass(frozen=True)
class Asked:
    """One hub. `name` is what could not be resolved; `ike` is of UDP 500, `natt` of UDP 4500."""

    address: Address | None = None
    name: str = ""
    ike: Answer = Answer.SILENT
    natt: Answer = Answer.SILENT
    pinged: bool = False

    @property
    def answers(self) -> bool:
        return Answer.ANSWERED in (self.ike, self.natt)


async def ask_hubs(box: Box) -> dict[str, Asked]:
    """All hubs at once, by name."""
    names = list(box.hubs)
    return dict(zip(names, await asyncio.gather(*(ask_hub(box, name) for name in names)), strict=True))


async def ask_hub(box: Box, name: str) -> Asked:
    """One of `box.hubs`."""
    return await box.once(("hub", name), lambda: _ask(box, name))


async def _ask(box: Box, name: str) -> Asked:
    peer, plan = box.hubs[name], box.plan
    text = next(iter(peer.addresses), "")
    address = await resolve(text)
    if address is None or plan is None:
        return Asked(name=text)
    return await ask_address(box, address, plan.tunnel.ike_port, plan.tunnel.natt_port)


async def ask_address(box: Box, address: Address, ike_port: int = 500, natt_port: int = 4500) -> Asked:
    """What answers at an address."""
    way = await box.uplinks.way(address)
    if way is None:
        return Asked(address, ike=Answer.NO_ROUTE, natt=Answer.NO_ROUTE)
    ike, natt, rtt = await asyncio.gather(
        # Off port 500 there is no floating: everything goes over the second port (see desired/connections).
        ask(address, ike_port, _PATIENCE, marker=False),
        ask(address, natt_port, _PATIENCE, marker=True),
        box.pinger.ping(address, None, _PATIENCE),
    )
    return Asked(address, ike=ike, natt=natt, pinged=rtt is not None)


async def resolve(text: str) -> Address | None:
    """An address, or the first one of a name."""
    try:
        return ip_address(text)
    except ValueError:
        pass
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(text, None, type=socket.SOCK_DGRAM)
    except (OSError, TimeoutError):
        return None
    return ip_address(found[0][4][0]) if found else None
