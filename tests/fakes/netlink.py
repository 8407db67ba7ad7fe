# SPDX-License-Identifier: Apache-2.0
"""A kernel's network tables in memory: it keeps state, and refuses what the real one refuses.

tests/contract/test_netlink.py runs one suite on this and on a kernel.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface

from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.plan.values import Address
from appliance.netcore.spec import (
    HOLDER,
    NEXT_HOPS,
    TUNNEL_PREFIX,
    Connected,
    Link,
    LinkKind,
    Route,
    RouteKey,
    RouteKind,
    Rule,
    RuleKey,
    Vxlan,
)

InterfaceAddress = IPv4Interface | IPv6Interface


@dataclass
class FakeNetlink:
    """Both doors of rtnetlink at once. `others` are links of the host's, with their addresses.

    `foreign_routes` and `foreign_rules` are words of anybody's; nothing here may change them. `xfrm` is
    whether this kernel has XFRM interfaces.
    """

    others: dict[str, tuple[InterfaceAddress, ...]] = field(default_factory=dict)
    bridges: set[str] = field(default_factory=set)
    charon_routes: list[str] = field(default_factory=list)
    foreign_routes: list[str] = field(default_factory=list)
    foreign_rules: list[str] = field(default_factory=list)
    xfrm: bool = False
    _links: dict[str, Link] = field(default_factory=dict)
    _routes: dict[RouteKey, Route] = field(default_factory=dict)
    _rules: dict[RuleKey, Rule] = field(default_factory=dict)

    async def links(self) -> Mapping[str, Link]:
        return dict(self._links)

    async def put_link(self, name: str, link: Link) -> None:
        if name in self.others:
            raise DoorError(f"link {name} is not ours but has our name: rename it")
        if link.kind is LinkKind.XFRM and not self.xfrm:
            raise DoorError(f"the kernel refused XFRM interface {name}: Unknown device type")
        if name != HOLDER and not name.startswith(TUNNEL_PREFIX):
            raise AssertionError(f"{name} is no name of ours")
        if link.vxlan is not None and any(
            other != name and _alike(link.vxlan, taken.vxlan) for other, taken in self._links.items()
        ):
            raise DoorError(f"the kernel refused VXLAN link {name}: the specified VNI already exists")
        self._links[name] = link
        self._forget_dead()

    async def delete_link(self, name: str) -> None:
        self._links.pop(name, None)
        self._forget_dead()

    async def delete_bridge(self, name: str) -> bool:
        if name not in self.bridges:
            return False
        self.bridges.remove(name)
        return True

    async def routes(self) -> Mapping[RouteKey, Route]:
        return dict(self._routes)

    async def put_route(self, route: Route) -> None:
        if route.device is not None and route.device not in (*self._links, *self.others, *self.bridges):
            raise NotYetError(f"waiting for link {route.device}")
        if route.gateway is not None and not self._on_link(route.gateway, route.device):
            raise DoorError(f"the kernel refused the route {route.key}: Nexthop has invalid gateway")
        if route.source is not None and route.source not in self._addresses():
            raise DoorError(f"the kernel refused the route {route.key}: Invalid source address")
        if route.kind is RouteKind.UNICAST and route.device is None and route.gateway is None:
            raise DoorError(f"the kernel refused the route {route.key}: it leads nowhere")
        self._routes[route.key] = route

    async def delete_route(self, key: RouteKey) -> None:
        self._routes.pop(key, None)

    async def rules(self) -> Mapping[RuleKey, Rule]:
        return dict(self._rules)

    async def put_rule(self, rule: Rule) -> None:
        self._rules[rule.key] = rule

    async def delete_rule(self, rule: Rule) -> None:
        self._rules.pop(rule.key, None)

    async def purge_table(self, table: int) -> list[str]:
        removed = [f"route {route} of table {table}" for route in self.charon_routes]
        self.charon_routes.clear()
        return removed

    async def source_towards(self, address: Address) -> Address | None:
        for addresses in self.others.values():
            for own in addresses:
                if address in own.network:
                    return own.ip
        return None

    async def connected(self) -> tuple[Connected, ...]:
        held = [(own.network, name) for name, addresses in self.others.items() for own in addresses]
        return tuple(Connected(*one) for one in sorted(held, key=lambda one: (one[0].version, str(one[0]))))

    def _on_link(self, gateway: Address, device: str | None) -> bool:
        if device is not None:
            return gateway in NEXT_HOPS.values()
        return any(gateway in own.network for addresses in self.others.values() for own in addresses)

    def _addresses(self) -> set[Address]:
        held = {address for link in self._links.values() for address in link.addresses}
        return held | {own.ip for addresses in self.others.values() for own in addresses}

    def _forget_dead(self) -> None:
        """As the kernel: the routes of a link, and those from an address, go with it."""
        known, held = {*self._links, *self.others, *self.bridges, None}, {*self._addresses(), None}
        self._routes = {
            key: route
            for key, route in self._routes.items()
            if route.device in known and route.source in held
        }


def _alike(one: Vxlan, other: Vxlan | None) -> bool:
    """Whether the kernel could not tell two links' packets apart: it looks at no address."""
    if other is None or one.local.version != other.local.version:
        return False
    return (one.network, one.port) == (other.network, other.port)
