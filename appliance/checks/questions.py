# SPDX-License-Identifier: Apache-2.0
"""What the terminal may ask of the agent: `doctor` and `why`, over the status socket.

{"op": "doctor"}                             ->  {"ok": true, "conditions": [...], "checks": [...]}
{"op": "why", "a": A, "b": B, "port": PORT}  ->  {"ok": true, "a": A, ..., "hops": [...], "breaks": STEP}
"""

from collections.abc import Callable, Mapping
from typing import Any

from appliance.checks.all import CHECKS, examine
from appliance.checks.box import Agent, Box, OnDisk, resolvers_of
from appliance.checks.why import conclusion, walk
from appliance.netcore.errors import DoorError
from appliance.netcore.health.engine import conclude
from appliance.netcore.plan.values import builtins
from appliance.paths import Paths
from appliance.status.model import Snapshot


class Questions:
    """Answers with a look at the box as of now; `look` gives what the agent knows already."""

    def __init__(self, paths: Paths, look: Callable[[], tuple[Snapshot, OnDisk]]) -> None:
        self._paths = paths
        self._look = look

    async def doctor(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """All checks, as `orillo doctor` runs them."""
        box = self._box()
        try:
            conditions = conclude(await examine(box))
        finally:
            await box.close()
        return {"conditions": builtins(conditions), "checks": [check.name for check in CHECKS]}

    async def why(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The walk from `a` to `b`, as `orillo why` takes it. Raises `DoorError` for a bad request."""
        a, b, port = request.get("a"), request.get("b"), request.get("port")
        if not isinstance(a, str) or not isinstance(b, str) or not isinstance(port, int | None):
            raise DoorError("`why` needs two ends, `a` and `b`, and perhaps a number, `port`")
        box = self._box()
        try:
            hops = tuple([hop async for hop in walk(box, a, b, port)])
        finally:
            await box.close()
        answer: Mapping[str, Any] = builtins(conclusion(a, b, port, hops))
        return answer

    def _box(self) -> Box:
        snapshot, held = self._look()
        return Box(self._paths, held, Agent(True, snapshot), resolvers_of(self._paths, held.plan))
