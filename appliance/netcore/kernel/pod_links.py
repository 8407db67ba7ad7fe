# SPDX-License-Identifier: Apache-2.0
"""The pods' side of this host, read only: their bridge, their ends on it, and who is behind these."""

from dataclasses import dataclass

from appliance.netcore.kernel.netlink_messages import Message
from appliance.netcore.kernel.rtnetlink import Netlink
from appliance.netcore.plan.values import Address

#: Neighbour states by their bits (rtnetlink(7), NUD_*), in ip-neighbour(8)'s words.
_STATES = {
    0x01: "incomplete",
    0x02: "reachable",
    0x04: "stale",
    0x08: "delay",
    0x10: "probe",
    0x20: "failed",
    0x80: "permanent",
}


@dataclass(frozen=True)
class Neighbour:
    """Who was found at an address: its hardware address, and how fresh that knowledge is."""

    mac: str
    state: str


@dataclass(frozen=True)
class Bridge:
    """The bridge with the names of the links in it, and the neighbours behind it by their address."""

    up: bool
    mtu: int
    addresses: tuple[Address, ...]
    links: tuple[str, ...]
    neighbours: dict[Address, Neighbour]


class PodLinkDoor:
    """Reads the bridge of the pods."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink

    async def bridge(self, name: str) -> Bridge | None:
        """The bridge of that name; None where the first pod has not made it yet. Raises `DoorError`."""
        links = await self._netlink.dump("link")
        bridge = next((link for link in links if link.text("IFLA_IFNAME") == name), None)
        if bridge is None:
            return None
        index = bridge.field("index")
        held = [
            address
            for message in await self._netlink.dump("addr")
            if message.field("index") == index and (address := message.address("IFA_ADDRESS")) is not None
        ]
        ends = [link.text("IFLA_IFNAME") or "" for link in links if link.number("IFLA_MASTER") == index]
        return Bridge(
            up=bool(bridge.field("flags") & 1),  # IFF_UP
            mtu=bridge.number("IFLA_MTU") or 0,
            addresses=tuple(address for address in held if not address.is_link_local),
            links=tuple(sorted(ends)),
            neighbours={
                address: Neighbour(message.text("NDA_LLADDR") or "", _state(message))
                for message in await self._netlink.dump("neigh")
                if message.field("ifindex") == index and (address := message.address("NDA_DST")) is not None
            },
        )


def _state(message: Message) -> str:
    bits = message.field("state")
    return next((word for bit, word in _STATES.items() if bits & bit), "")
