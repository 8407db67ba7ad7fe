# SPDX-License-Identifier: Apache-2.0
"""Closed without a plan: what may never leave in clear, remembered beside the plans.

After a reboot with no plan that may be believed (both slots damaged, or enrolled anew while offline), the
conflist of before still starts pods, and their packets for other sites would leave by the default route. To
close needs nobody's signature, so the closed routes of the last plan are put back as they were.
"""

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path

import msgspec

from appliance.netcore.kernel.files import read, write_atomic
from appliance.netcore.reconcile.routes import Routes
from appliance.netcore.spec import Route, RouteKey, RouteKind, Rule

_KINDS = (RouteKind.UNREACHABLE, RouteKind.BLACKHOLE, RouteKind.THROW)


class _Closed(msgspec.Struct, frozen=True):
    """`guard.json`: prefix, kind and metric of each route that sends nothing anywhere."""

    routes: tuple[tuple[str, RouteKind, int], ...] = ()


class Guard:
    """The closed routes, kept in `file`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept = b""

    def remember(self, wanted: Mapping[RouteKey, Route]) -> None:
        """Keep what a plan closes, before a pod can start under it. Raises `DoorError`."""
        closed = sorted((str(r.dst), r.kind, r.metric) for r in wanted.values() if r.kind in _KINDS)
        data = msgspec.json.encode(_Closed(tuple(closed)))
        if data != self._kept and data != read(self._file):
            write_atomic(self._file, data, 0o600)
        self._kept = data

    async def close(self, door: Routes) -> int:
        """Put back what was kept and is not there; how many were put. Raises `DoorError`."""
        closed = [Route(ip_network(dst), kind, metric) for dst, kind, metric in self._read().routes]
        there = await door.routes() if closed else {}
        lacking = [route for route in closed if route.key not in there]
        for route in lacking:
            await door.put_route(route)
        for rule in map(Rule, (4, 6) if lacking else ()):
            await door.put_rule(rule)
        return len(lacking)

    def _read(self) -> _Closed:
        """What was kept; a damaged file keeps nothing."""
        try:
            return msgspec.json.decode(read(self._file) or b"{}", type=_Closed)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return _Closed()
