# SPDX-License-Identifier: Apache-2.0
"""What the agent lets the terminal ask for, under the names of the status socket's operations.

Looks change nothing and are for all who may open the socket; commands are for root. What answers is imported
when it is asked: an agent that nobody looks at is smaller without.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from appliance.netcore.errors import DoorError
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import builtins
from appliance.netcore.reconcile.doors import Doors
from appliance.snapshot import Known
from appliance.status.log import LogRing
from appliance.status.server import Command

if TYPE_CHECKING:
    from appliance.looks import tunnels

Request = Mapping[str, Any]
Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Desk:
    """Where the terminal's questions are answered; `known` gives what the agent knows now."""

    doors: Doors
    known: Callable[[], Known]
    steering: "tunnels.Steering"
    ping: "tunnels.Ping"
    log: LogRing

    @property
    def looks(self) -> Mapping[str, Command]:
        """For everybody."""
        return {
            "uplinks": self.uplinks,
            "peers": self.peers,
            "dns": self.dns,
            "lookup": self.lookup,
            "pods": self.pods,
            "logs": self.logs,
        }

    @property
    def commands(self) -> Mapping[str, Command]:
        """For root."""
        return {"probe": self.probe, "reinitiate": self.reinitiate}

    async def uplinks(self, _request: Request) -> Answer:
        """{"op": "uplinks"}"""
        from appliance.looks import uplinks
        from appliance.netcore.kernel.uplinks import UplinkDoor

        return _said(await uplinks.uplinks(UplinkDoor(self.doors.netlink), self._plan, self._tun))

    async def peers(self, _request: Request) -> Answer:
        """{"op": "peers"}"""
        from appliance.looks import tunnels

        known = self.known()
        return _said(tunnels.peers(self._plan, known.facts, known.tunnels))

    async def dns(self, _request: Request) -> Answer:
        """{"op": "dns"}"""
        from appliance.looks import names

        return _said(await names.name_cache(self.doors.unbound, self._plan))

    async def lookup(self, request: Request) -> Answer:
        """{"op": "lookup", "name": NAME}"""
        from appliance.looks import names

        return _said(await names.lookup(self.doors.unbound, self._plan, _word(request, "name")))

    async def pods(self, _request: Request) -> Answer:
        """{"op": "pods"}"""
        from appliance.looks.pods import pods
        from appliance.netcore.kernel.pod_links import PodLinkDoor

        return _said(await pods(PodLinkDoor(self.doors.netlink), self._plan, self.doors.paths))

    async def logs(self, request: Request) -> Answer:
        """{"op": "logs", "run": RUN, "after": NUMBER}: what is newer than that line of that run."""
        after = request.get("after")
        return _said(self.log.since(str(request.get("run", "")), after if isinstance(after, int) else 0))

    async def probe(self, request: Request) -> Answer:
        """{"op": "probe", "peer": NAME}"""
        from appliance.looks import tunnels

        return _said(await tunnels.probe(self._plan, _word(request, "peer"), self.ping))

    async def reinitiate(self, request: Request) -> Answer:
        """{"op": "reinitiate", "peer": NAME}"""
        from appliance.looks import tunnels

        peer = _word(request, "peer")
        return _said(await tunnels.reinitiate(self._plan, peer, self.steering, self.ping))

    @property
    def _tun(self) -> str | None:
        return self.known().facts.tun

    @property
    def _plan(self) -> Plan | None:
        held = self.known().held
        return held.plan if held else None


def _said(answer: msgspec.Struct) -> Answer:
    fields: Answer = builtins(answer)
    return fields


def _word(request: Request, name: str) -> str:
    value = request.get(name)
    if not isinstance(value, str) or not value:
        raise DoorError(f"this needs a text, {name!r}")
    return value
