# SPDX-License-Identifier: Apache-2.0
"""The addresses of the pods' bridge, in the kernel."""

import errno
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from appliance.netcore.kernel.rtnetlink import Netlink, RefusedError, family, index_of

Interface = IPv4Interface | IPv6Interface
_NODAD = 0x02  # IFA_F_NODAD, as the CNI plug-in has it: pods use the gateway at once


class BridgeDoor:
    """Reads and adds addresses; it makes and removes no bridge."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink

    async def addresses(self, name: str) -> frozenset[Interface]:
        """What the bridge holds; nothing if there is none. Raises `DoorError`."""
        link = (await self._netlink.links()).get(name)
        if link is None:
            return frozenset()
        found = [
            (message.address("IFA_ADDRESS"), message.field("prefixlen"))
            for message in await self._netlink.dump("addr")
            if message.field("index") == link.index
        ]
        return frozenset(ip_interface((address, length)) for address, length in found if address is not None)

    async def add(self, name: str, address: Interface) -> None:
        """Put an address on the bridge. Raises `NotYetError` if there is none, and `DoorError`."""
        fields: dict[str, object] = {
            "index": index_of(name),
            "address": str(address.ip),
            "prefixlen": address.network.prefixlen,
            "family": family(address.version),
        }
        if address.version == 6:
            fields["flags"] = _NODAD
        try:
            await self._netlink.change(f"address {address} on {name}", "addr", "add", **fields)
        except RefusedError as error:
            if error.code != errno.EEXIST:
                raise
