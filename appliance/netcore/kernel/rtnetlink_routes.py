# SPDX-License-Identifier: Apache-2.0
"""The routes and rules of ours in the kernel, and what it knows of the way to others."""

import errno
from collections.abc import Iterator, Mapping
from itertools import chain

from appliance.netcore.errors import NotYetError
from appliance.netcore.kernel.netlink_messages import Message
from appliance.netcore.kernel.rtnetlink import Netlink, RefusedError, family, index_of
from appliance.netcore.plan.values import Address
from appliance.netcore.spec import (
    HOLDER,
    NEXT_HOPS,
    OWN_TABLE,
    PRIORITY,
    PROTOCOL,
    TABLE,
    TUNNEL_PREFIX,
    Connected,
    Route,
    RouteKey,
    RouteKind,
    Rule,
    RuleKey,
)

_MAIN_TABLE = 254
#: RTN_* of rtnetlink(7).
_KINDS = {
    1: RouteKind.UNICAST,
    6: RouteKind.BLACKHOLE,
    7: RouteKind.UNREACHABLE,
    9: RouteKind.THROW,
}
#: Who writes routes of links themselves: the kernel, router advertisements, DHCP clients (rtnetlink(7)).
_ON_LINK_PROTOCOLS = frozenset({2, 9, 16})
_SCOPE_NOWHERE = 255
_ONLINK = 4  # RTNH_F_ONLINK: the gateway is on the link, whatever its routes say
#: Our tables, and the priorities of the rules that lead to them.
_TABLES = {PRIORITY: TABLE, OWN_TABLE: OWN_TABLE}
_RULE_TO_TABLE = 1


class RouteDoor:
    """Reads and writes routes of our tables with our protocol, and our rules; all others are left alone."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink

    async def routes(self) -> Mapping[RouteKey, Route]:
        """Our routes of both families. Raises `DoorError`."""
        names = {link.index: link.name for link in (await self._netlink.links()).values()}
        found = [
            _route(message, names)
            for table in _TABLES.values()
            for message in await self._dump_routes(table)
            if message.number("RTA_TABLE") == table and message.field("proto") == PROTOCOL
        ]
        return {route.key: route for route in found if route is not None}

    async def put_route(self, route: Route) -> None:
        """Add the route, or replace the one of the same key in one step. Raises `DoorError`."""
        fields = _selector(route.key) | {"type": route.kind.value}
        if route.device is not None:
            fields["oif"] = index_of(route.device)
        if route.gateway is not None:
            fields["gateway"] = str(route.gateway)
            if route.device is None:
                fields |= await self._link_of(route.gateway)
            elif route.gateway.version == 4:
                fields["flags"] = _ONLINK
        if route.source is not None:
            fields["prefsrc"] = str(route.source)
        try:
            await self._netlink.change(f"the route {route.key}", "route", "replace", **fields)
        except RefusedError as error:
            if error.code in (errno.ENETDOWN, errno.ENODEV):
                raise NotYetError(f"waiting for link {route.device} to be up") from error
            raise

    async def _link_of(self, gateway: Address) -> dict[str, int]:
        """The link of an IPv6 gateway. Raises `DoorError`.

        Without it the kernel looks for the gateway in the route's own table first, and takes a throw route
        there for an answer (ip6_route_check_nh in net/ipv6/route.c).
        """
        way = await self._netlink.lookup(gateway) if gateway.version == 6 else None
        link = way.number("RTA_OIF") if way is not None else None
        return {} if link is None else {"oif": link}

    async def delete_route(self, key: RouteKey) -> None:
        """Remove our route; an absent one is a success. Raises `DoorError`."""
        # The kind is left open; scope "nowhere" means any.
        fields = _selector(key) | {"type": 0, "scope": _SCOPE_NOWHERE}
        await self._netlink.remove(f"the route {key}", "route", **fields)

    async def rules(self) -> Mapping[RuleKey, Rule]:
        """Our rules: those with a priority of ours that lead to its table. Raises `DoorError`."""
        found = [rule for priority, table in _TABLES.items() for rule in await self._rules(priority, table)]
        return {rule.key: rule for rule in found}

    async def put_rule(self, rule: Rule) -> None:
        """Add the rule; one of the same key for another source goes. Raises `DoorError`."""
        for other in await self._rules(rule.priority, rule.table):
            if other.version == rule.version and other != rule:
                await self.delete_rule(other)
        try:
            await self._netlink.change(f"the {rule.key}", "rule", "add", **_rule_fields(rule))
        except RefusedError as error:
            if error.code != errno.EEXIST:
                raise

    async def delete_rule(self, rule: Rule) -> None:
        """Remove the rule, for any source if it has none; an absent one is a success. Raises `DoorError`."""
        fields = _rule_fields(rule)
        # Not by protocol: charon's rule, which we purge too, has another.
        del fields["protocol"]
        await self._netlink.remove(f"the {rule.key}", "rule", **fields)

    async def source_towards(self, address: Address) -> Address | None:
        """Our own address on the way to `address`; None without a route. Raises `DoorError`."""
        answer = await self._netlink.lookup(address)
        return None if answer is None else answer.address("RTA_PREFSRC")

    async def connected(self) -> tuple[Connected, ...]:
        """The prefixes on the links of the host that are not ours, sorted. Raises `DoorError`."""
        names = {link.index: link.name for link in (await self._netlink.links()).values()}
        found = {_connected(message, names) for message in await self._dump_routes(_MAIN_TABLE)}
        return tuple(sorted((one for one in found if one is not None), key=_order))

    async def purge_table(self, table: int) -> list[str]:
        """Remove every route of `table` and the rule of that number to it; what was removed, as sentences."""
        removed: list[str] = []
        for rule in await self._rules(table, table):
            await self.delete_rule(rule)
            removed.append(f"{rule.key} to table {table}")
        for message in await self._dump_routes(table):
            if message.number("RTA_TABLE") == table:
                fields = _of_message(message) | {"scope": _SCOPE_NOWHERE, "type": 0}
                if await self._netlink.remove("a route", "route", **fields):
                    removed.append(f"route {message.destination()} of table {table}")
        return removed

    async def _dump_routes(self, table: int) -> Iterator[Message]:
        """Of one routing table, and of others too where the kernel is old: the caller looks."""
        return chain(*[await self._netlink.dump("route", version, of=table) for version in (4, 6)])

    async def _rules(self, priority: int, table: int) -> list[Rule]:
        return [
            Rule(version, priority, table, message.address("FRA_SRC"))
            for version in (4, 6)
            for message in await self._netlink.dump("rule", version)
            if message.number("FRA_PRIORITY") == priority
            and message.number("FRA_TABLE") == table
            and message.field("action") == _RULE_TO_TABLE
        ]


def _selector(key: RouteKey) -> dict[str, object]:
    return {
        "dst": str(key.dst),
        "family": family(key.dst.version),
        "table": key.table,
        "proto": PROTOCOL,
        "priority": key.metric,
    }


def _of_message(message: Message) -> dict[str, object]:
    return {
        "dst": str(message.destination()),
        "family": family(message.version),
        "table": message.number("RTA_TABLE"),
        "proto": message.field("proto"),
        "priority": message.number("RTA_PRIORITY") or 0,
    }


def _rule_fields(rule: Rule) -> dict[str, object]:
    source = {} if rule.source is None else {"src": str(rule.source), "src_len": rule.source.max_prefixlen}
    return {
        "family": family(rule.version),
        "priority": rule.priority,
        "table": rule.table,
        "protocol": PROTOCOL,
        "action": _RULE_TO_TABLE,
        **source,
    }


def _route(message: Message, names: Mapping[int, str]) -> Route | None:
    kind = _KINDS.get(message.field("type"))
    if kind is None:
        return None
    gateway = message.address("RTA_GATEWAY")
    # IPv6 shows `lo` for routes that send nothing, and the kernel finds a gateway's device by itself.
    named = kind is RouteKind.UNICAST and (gateway is None or gateway in NEXT_HOPS.values())
    return Route(
        dst=message.destination(),
        kind=kind,
        metric=message.number("RTA_PRIORITY") or 0,
        gateway=gateway,
        device=names.get(message.number("RTA_OIF") or 0) if named else None,
        source=message.address("RTA_PREFSRC"),
        table=message.number("RTA_TABLE") or 0,
    )


#: RTNH_F_DEAD and RTNH_F_LINKDOWN (linux/rtnetlink.h): the cable is out.
_LINK_GONE = 0x01 | 0x10


def _connected(message: Message, names: Mapping[int, str]) -> Connected | None:
    if message.number("RTA_TABLE") != _MAIN_TABLE or message.field("proto") not in _ON_LINK_PROTOCOLS:
        return None
    if message.field("type") != 1 or message.address("RTA_GATEWAY") is not None:
        return None
    prefix, device = message.destination(), names.get(message.number("RTA_OIF") or 0, "")
    if not device or _is_ours(device) or prefix.prefixlen == 0 or message.field("flags") & _LINK_GONE:
        return None
    return None if prefix.is_link_local or prefix.is_multicast else Connected(prefix, device)


def _is_ours(device: str) -> bool:
    return device == HOLDER or device.startswith(TUNNEL_PREFIX)


def _order(one: Connected) -> tuple[int, bytes, int, str]:
    return one.prefix.version, one.prefix.network_address.packed, one.prefix.prefixlen, one.device
