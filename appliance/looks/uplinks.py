# SPDX-License-Identifier: Apache-2.0
"""The host's own ports: link, carrier, addresses, and which lead out."""

from appliance.netcore.kernel.uplinks import Gateway, Port, UplinkDoor
from appliance.netcore.plan.model import Plan
from appliance.status.views import Uplink, Uplinks


async def uplinks(door: UplinkDoor, plan: Plan | None, tun: str | None = None) -> Uplinks:
    """Those with a default route first, the preferred one before the others. Raises `DoorError`."""
    inner = (plan.cni.bridge,) if plan is not None and plan.cni is not None else ()
    ports = await door.ports((*inner, tun) if tun else inner)
    gateways = await door.gateways()
    order = {gateway.link: place for place, gateway in reversed(list(enumerate(gateways)))}
    ports = tuple(sorted(ports, key=lambda port: (order.get(port.name, len(gateways)), port.name)))
    return Uplinks(tuple(_uplink(port, gateways) for port in ports))


def _uplink(port: Port, gateways: tuple[Gateway, ...]) -> Uplink:
    return Uplink(
        name=port.name,
        up=port.up,
        carrier=port.carrier,
        mtu=port.mtu,
        mac=port.mac,
        addresses=tuple(map(str, port.addresses)),
        gateways=tuple(str(one.address or "-") for one in gateways if one.link == port.name),
    )
