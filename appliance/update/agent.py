# SPDX-License-Identifier: Apache-2.0
"""The running agent as who tries a release sees it: which release it is of, what works under it, its end.

Nothing here believes the agent more than needed: whose release it is of says the launcher, in the environment
of the process that holds the status socket.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.processes import end
from appliance.netcore.kernel.rtnetlink import Netlink
from appliance.netcore.kernel.uplinks import UplinkDoor
from appliance.paths import Paths
from appliance.status import client
from appliance.trial import Sign

PACKAGE = "package"
_VARIABLE = b"ORILLO_RELEASE="
_PATIENCE = 3.0
#: How often an agent that runs and does not answer is asked.
_TRIES = 5


@dataclass(frozen=True)
class Look:
    """What works, under which release (empty: none runs, or nobody knows which), and whether a link is up."""

    release: str
    working: frozenset[Sign]
    link_up: bool = True


class Agent:
    """The agent of one root directory."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def look(self) -> Look:
        """One look. An agent that does not answer, or nonsense, is one under which nothing works."""
        try:
            pid = client.daemon_pid(self._paths.status_socket)
            if pid is None:
                return Look("", frozenset())
            answer = client.command(self._paths.status_socket, "status", timeout=_PATIENCE)
            return Look(_release_of(pid), signs(answer.get("status")), asyncio.run(_link_up()))
        except (DoorError, OSError):
            return Look("", frozenset())

    def what_works(self) -> frozenset[Sign]:
        """What a change is to be measured by. An agent that runs and is too busy to answer is asked again.

        Of a release tried on a device too busy to answer, nothing else would be expected. Who fetches
        it asks before and after, and adds up: a transfer that fills a poor line may cost the tunnel.
        """
        found: frozenset[Sign] = frozenset()
        for _ in range(_TRIES):
            found = self.look().working
            if found or self._is_gone():
                break
        return found

    def _is_gone(self) -> bool:
        """Whether nobody listens; one who can't even be asked that is busy."""
        try:
            return client.daemon_pid(self._paths.status_socket) is None
        except (DoorError, OSError):
            return False

    def end(self) -> None:
        """End it, with force if need be; who supervises it starts the next. Raises `DoorError`."""
        for pid in {self._started(), self._serving()} - {None}:
            if pid is not None:
                end(pid)

    def _serving(self) -> int | None:
        with suppress(DoorError, OSError):
            return client.daemon_pid(self._paths.status_socket)
        return None

    def _started(self) -> int | None:
        """The one that the launcher started last, which may never have answered; by its environment known."""
        with suppress(OSError, ValueError):
            pid = int((self._paths.run / "agent.pid").read_text().split()[0])
            return pid if _release_of(pid) else None
        return None


def signs(status: Any) -> frozenset[Sign]:
    """What works by the status of an agent, of whatever release; see `status/model.py`."""
    if not isinstance(status, Mapping):
        return frozenset()
    found = {Sign.AGENT}
    if status.get("state") == "running":
        found.add(Sign.PLAN)
    if _field(status, "control", "connected") is True:
        found.add(Sign.CONTROL)
    if _field(_field(status, "tunnels", str(status.get("hub"))), "up") is True:
        found.add(Sign.HUB)
    return frozenset(found)


def _field(document: Any, *names: str) -> Any:
    for name in names:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def _release_of(pid: int) -> str:
    """The name that the launcher gave it; empty for an agent that it did not start."""
    with suppress(OSError):
        for word in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if word.startswith(_VARIABLE):
                return os.fsdecode(word.removeprefix(_VARIABLE))
    return ""


async def _link_up() -> bool:
    try:
        async with Netlink() as netlink:
            return any(port.carrier for port in await UplinkDoor(netlink).ports())
    except DoorError:
        return True
