# SPDX-License-Identifier: Apache-2.0
"""What the terminal may ask of the agent: `doctor`, `why` and `bugreport`, over the status socket.

{"op": "doctor"}                             ->  {"ok": true, "conditions": [...], "checks": [...]}
{"op": "why", "a": A, "b": B, "port": PORT}  ->  {"ok": true, "a": A, ..., "hops": [...], "breaks": STEP}
{"op": "bugreport", "hash_addresses": BOOL}   ->  {"ok": true, "name": FILE, "data": BASE64}

With "parts": true each hop, and each check that is done, is told as soon as it is known.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from appliance.checks.all import CHECKS, examine
from appliance.checks.box import Agent, Box, Check, OnDisk, resolvers_of
from appliance.netcore.errors import DoorError
from appliance.netcore.health.engine import conclude
from appliance.netcore.health.kind import Finding
from appliance.netcore.plan.values import builtins
from appliance.paths import Paths
from appliance.status.answers import Hop
from appliance.status.model import Snapshot
from appliance.status.server import Tell
from appliance.status.views import Packed


class Questions:
    """Answers with a look at the box as of now; `look` gives what the agent knows already."""

    def __init__(self, paths: Paths, look: Callable[[], tuple[Snapshot, OnDisk]]) -> None:
        self._paths = paths
        self._look = look

    async def doctor(self, _request: Mapping[str, Any], tell: Tell) -> Mapping[str, Any]:
        """All checks, as `orillo doctor` runs them."""
        box = self._box()
        told: set[asyncio.Task[None]] = set()

        def done(check: Check, found: Sequence[Finding]) -> None:
            told.add(asyncio.ensure_future(tell({"check": check.name, "found": len(found)})))

        try:
            conditions = conclude(await examine(box, progress=done))
            await asyncio.gather(*told)
        finally:
            await box.close()
        return {"conditions": builtins(conditions), "checks": [check.name for check in CHECKS]}

    async def why(self, request: Mapping[str, Any], tell: Tell) -> Mapping[str, Any]:
        """The walk from `a` to `b`, as `orillo why` takes it. Raises `DoorError` for a bad request."""
        a, b, port = request.get("a"), request.get("b"), request.get("port")
        if not isinstance(a, str) or not isinstance(b, str) or not isinstance(port, int | None):
            raise DoorError("`why` needs two ends, `a` and `b`, and perhaps a number, `port`")
        # Imported when used, as the report's: an agent that nobody asks is smaller without.
        from appliance.checks.why import conclusion, walk

        box, hops = self._box(), list[Hop]()
        try:
            async for hop in walk(box, a, b, port):
                hops.append(hop)
                await tell(builtins(hop))
        finally:
            await box.close()
        answer: Mapping[str, Any] = builtins(conclusion(a, b, port, tuple(hops)))
        return answer

    async def bugreport(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The report for support, as `orillo bugreport` packs it."""
        from appliance.checks.packing import file_name, pack
        from appliance.checks.report import gather

        box = self._box()
        try:
            texts = await gather(box, hash_addresses=request.get("hash_addresses") is True)
        finally:
            await box.close()
        packed = await asyncio.to_thread(pack, texts)
        answer: Mapping[str, Any] = builtins(Packed(file_name(), packed))
        return answer

    def _box(self) -> Box:
        snapshot, held = self._look()
        return Box(self._paths, held, Agent(True, snapshot), resolvers_of(self._paths, held.plan))
