# SPDX-License-Identifier: Apache-2.0
"""The way out, as far as the router: port, address, default route, router."""

import asyncio
from ipaddress import IPv4Address, IPv4Interface

from appliance.checks.box import Box
from appliance.netcore.errors import DoorError
from appliance.netcore.health.kind import Finding
from appliance.netcore.kernel.arp import who_has
from appliance.netcore.kernel.links import tun_of
from appliance.netcore.kernel.uplinks import Gateway, Port
from appliance.netcore.plan.values import Address

_PATIENCE = 1.5
_NOBODY = IPv4Address(0)


async def uplink(box: Box) -> list[Finding]:
    """The furthest that any port gets, and what stops it there."""
    ports, gateways = await asyncio.gather(
        box.once("ports", lambda: _ports(box)), box.once("gateways", box.uplinks.gateways)
    )
    used = {gateway.link for gateway in gateways}
    found = judge(ports, gateways)
    if not found:
        checked = [port for port in ports if port.name in used and port.carrier]
        conflicts = await asyncio.gather(*(_conflict(port) for port in checked))
        found = [finding for finding in conflicts if finding]
        found += await _routers(box, ports, gateways)
    return found


async def _ports(box: Box) -> tuple[Port, ...]:
    bridge = box.plan.cni.bridge if box.plan and box.plan.cni else ""
    return await box.uplinks.ports([name for name in (tun_of(box.paths.charon_pid), bridge) if name])


def judge(ports: tuple[Port, ...], gateways: tuple[Gateway, ...]) -> list[Finding]:
    """What stops the port that gets furthest; nothing if one has a default route, an address and a signal."""
    if not ports:
        return [Finding("link-none", "there are only inner links")]
    routed = {gateway.link for gateway in gateways}
    best = max(
        ports, key=lambda port: (port.up and port.carrier, port.name in routed, bool(_own(port)), port.up)
    )
    about = {"link": best.name}
    if not best.up:
        return [Finding("link-disabled", f"{best.name} is administratively down", about)]
    if not best.carrier:
        named = ", ".join(port.name for port in ports if port.up)
        return [Finding("link-no-carrier", f"no carrier on {named}", about)]
    if not _own(best):
        return [Finding("address-missing", f"{best.name} has a signal, and no address", about)]
    if best.name not in routed:
        having = ", ".join(str(address) for address in _own(best))
        return [Finding("route-default-missing", f"{best.name} has {having}; no default route", about)]
    return []


def _own(port: Port) -> tuple[object, ...]:
    return tuple(address for address in port.addresses if not address.ip.is_link_local)


async def _conflict(port: Port) -> Finding | None:
    own = next((one.ip for one in port.addresses if isinstance(one, IPv4Interface)), None)
    if own is None or len(port.mac) != len("00:00:00:00:00:00"):
        return None
    other = await who_has(port.name, port.mac, _NOBODY, own, 0.9)
    if not other:
        return None
    about = {"link": port.name, "address": str(own)}
    return Finding("address-conflict", f"{other} answers for {own} on {port.name}", about)


async def _routers(box: Box, ports: tuple[Port, ...], gateways: tuple[Gateway, ...]) -> list[Finding]:
    """Silent ones, if no default route has a router that answers."""
    by_name = {port.name: port for port in ports}
    asked = [(gateway, by_name[gateway.link]) for gateway in gateways if gateway.link in by_name]
    answers = await asyncio.gather(*(_answers(box, gateway, port) for gateway, port in asked))
    if any(answers):
        return []
    return [
        Finding(
            "gateway-silent",
            f"{gateway.address} answers neither ARP nor ping on {gateway.link}",
            {"gateway": str(gateway.address), "link": gateway.link},
        )
        for gateway, _ in asked[:1]
    ]


async def _answers(box: Box, gateway: Gateway, port: Port) -> bool:
    """By ARP where there is any, which no firewall drops; or by ping."""
    router: Address | None = gateway.address
    if router is None:
        return True
    asking = [asyncio.ensure_future(_pings(box, router))]
    own = next((one.ip for one in port.addresses if isinstance(one, IPv4Interface)), None)
    if isinstance(router, IPv4Address) and own is not None and len(port.mac) == len("00:00:00:00:00:00"):
        asking.append(asyncio.ensure_future(_has(port, own, router)))
    answers = await asyncio.gather(*asking)
    return any(answers)


async def _has(port: Port, own: IPv4Address, router: IPv4Address) -> bool:
    try:
        return bool(await who_has(port.name, port.mac, own, router, _PATIENCE))
    except DoorError:
        return False


async def _pings(box: Box, address: Address) -> bool:
    return await box.pinger.ping(address, None, _PATIENCE) is not None
