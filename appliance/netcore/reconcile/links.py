# SPDX-License-Identifier: Apache-2.0
"""The table of our links."""

from collections.abc import Mapping
from typing import Protocol

from appliance.netcore.spec import Link, LinkKind


class Links(Protocol):
    """What this table needs of the kernel; see `kernel.rtnetlink_links`."""

    async def links(self) -> Mapping[str, Link]: ...

    async def put_link(self, name: str, link: Link) -> None: ...

    async def delete_link(self, name: str) -> None: ...

    async def delete_bridge(self, name: str) -> bool: ...


class LinkTable:
    """Links by name, those between connectors or all others: they have their turns at different times."""

    def __init__(self, door: Links, *, relays: bool = False) -> None:
        self._door = door
        self._relays = relays

    async def observe(self) -> Mapping[str, Link]:
        found = await self._door.links()
        return {name: link for name, link in found.items() if (link.kind is LinkKind.VXLAN) is self._relays}

    async def put(self, key: str, value: Link) -> None:
        await self._door.put_link(key, value)

    async def delete(self, key: str) -> None:
        await self._door.delete_link(key)


async def purge(door: Links, bridge: str | None = None) -> list[str]:
    """Remove every link of ours and the pods' `bridge`; what was removed. Raises `DoorError`."""
    removed = []
    for name in sorted(await door.links()):
        await door.delete_link(name)
        removed.append(f"link {name}")
    if bridge is not None and await door.delete_bridge(bridge):
        removed.append(f"bridge {bridge}")
    return removed
