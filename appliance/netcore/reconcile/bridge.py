# SPDX-License-Identifier: Apache-2.0
"""The table of the pods' gateway addresses. Nothing is ever taken away: the bridge is the CNI plug-in's."""

from collections.abc import Mapping
from typing import Protocol

from appliance.netcore.desired.bridge import Interface


class Bridges(Protocol):
    """What this table needs of the kernel; see `kernel.rtnetlink_bridge`."""

    async def addresses(self, name: str) -> frozenset[Interface]: ...

    async def add(self, name: str, address: Interface) -> None: ...


class GatewayTable:
    """Addresses by the name of their bridge; other addresses on it are none of ours."""

    def __init__(self, door: Bridges) -> None:
        self._door = door
        self._wanted: dict[str, frozenset[Interface]] = {}

    async def observe(self) -> Mapping[str, frozenset[Interface]]:
        return {
            name: wanted & await self._door.addresses(name) for name, wanted in list(self._wanted.items())
        }

    async def put(self, key: str, value: frozenset[Interface]) -> None:
        self._wanted[key] = value
        for address in sorted(value - await self._door.addresses(key), key=str):
            await self._door.add(key, address)

    async def delete(self, key: str) -> None:
        self._wanted.pop(key, None)
