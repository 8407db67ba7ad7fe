# SPDX-License-Identifier: Apache-2.0
"""The tables of our routes and rules.

A way into a tunnel and the unreachable route under it have different metrics, so they are two objects: to put
or delete the one never touches the other, and there is no instant in which neither holds.
"""

from collections.abc import Mapping
from typing import Protocol

from appliance.netcore.spec import CHARON_TABLE, Route, RouteKey, Rule, RuleKey


class Routes(Protocol):
    """What these tables need of the kernel; see `kernel.rtnetlink_routes`."""

    async def routes(self) -> Mapping[RouteKey, Route]: ...

    async def put_route(self, route: Route) -> None: ...

    async def delete_route(self, key: RouteKey) -> None: ...

    async def rules(self) -> Mapping[RuleKey, Rule]: ...

    async def put_rule(self, rule: Rule) -> None: ...

    async def delete_rule(self, rule: Rule) -> None: ...

    async def purge_table(self, table: int) -> list[str]: ...


class RouteTable:
    """Routes by destination and metric."""

    def __init__(self, door: Routes) -> None:
        self._door = door

    async def observe(self) -> Mapping[RouteKey, Route]:
        return await self._door.routes()

    async def put(self, key: RouteKey, value: Route) -> None:
        await self._door.put_route(value)

    async def delete(self, key: RouteKey) -> None:
        await self._door.delete_route(key)


class RuleTable:
    """Rules by family and priority."""

    def __init__(self, door: Routes) -> None:
        self._door = door

    async def observe(self) -> Mapping[RuleKey, Rule]:
        return await self._door.rules()

    async def put(self, key: RuleKey, value: Rule) -> None:
        await self._door.put_rule(value)

    async def delete(self, key: RuleKey) -> None:
        rule = (await self._door.rules()).get(key)
        if rule is not None:
            await self._door.delete_rule(rule)


async def purge(door: Routes) -> list[str]:
    """Remove our rules and routes, and charon's; what was removed. Raises `DoorError`.

    Rules go first: while our table is emptied route by route, nothing may look at half of it.
    """
    removed = []
    for key, rule in (await door.rules()).items():
        await door.delete_rule(rule)
        removed.append(str(key))
    routes = await door.routes()
    for route_key in routes:
        await door.delete_route(route_key)
    if routes:
        tables = sorted({route_key.table for route_key in routes}, reverse=True)
        removed.append(f"{len(routes)} routes of table {', '.join(map(str, tables))}")
    return removed + await door.purge_table(CHARON_TABLE)
