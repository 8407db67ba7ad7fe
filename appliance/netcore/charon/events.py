# SPDX-License-Identifier: Apache-2.0
"""charon's events, as a reason to look again. They carry no truth: the listing does."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from appliance.netcore.charon.session import Session, open_session
from appliance.netcore.errors import DoorError

_EVENTS = ("ike-updown", "child-updown", "ike-rekey", "child-rekey", "ike-update")
_RETRY = 1.0


async def listen(socket: Path, wake: Callable[[], None]) -> None:
    """Call `wake` at every event, and whenever charon came or went. Runs until it is cancelled."""
    while True:
        with suppress(DoorError):
            async with await open_session(socket) as session:
                try:
                    await _follow(session, wake)
                finally:
                    wake()
        await asyncio.sleep(_RETRY)


async def _follow(session: Session, wake: Callable[[], None]) -> None:
    for event in _EVENTS:
        await session.register(event)
    wake()
    async for _ in session.events():
        wake()
