# SPDX-License-Identifier: Apache-2.0
"""The two ends of one ownership stream: a connector tells, and everybody in the cloud listens."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress

from appliance.netcore.ownership.claims import Snapshot, read, write

#: A snapshot comes at least this often, in seconds; three of them missed are a broken stream.
REPEAT = 10.0
SILENCE = 2.5 * REPEAT
_HANDSHAKE = 5.0
_LIMIT = 8 * 1024 * 1024  # bytes of one line: some 100,000 edges


class Teller:
    """One listener's stream. `tell` when something changed; it also tells by the clock."""

    def __init__(self, writer: asyncio.StreamWriter, current: Callable[[], Snapshot]) -> None:
        self._writer = writer
        self._current = current
        self._changed = asyncio.Event()

    def tell(self) -> None:
        self._changed.set()

    async def run(self) -> None:
        """Until the listener goes away; raises `OSError` then."""
        while not self._writer.is_closing():
            self._changed.clear()
            self._writer.write(write(self._current()))
            await self._writer.drain()
            with suppress(TimeoutError):
                async with asyncio.timeout(REPEAT):
                    await self._changed.wait()


async def follow(
    host: str,
    port: int,
    context: ssl.SSLContext,
    admit: Callable[[asyncio.StreamWriter], str],
    heard: Callable[[Snapshot], None],
) -> None:
    """Connect and hand over every snapshot, until the stream breaks.

    `admit` returns the owner's name or raises. Raises `OSError` or `ValueError` for what broke it; a
    listener that fell silent is a `TimeoutError`, which is an `OSError`.
    """
    async with asyncio.timeout(_HANDSHAKE):
        reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=_LIMIT)
    try:
        owner = admit(writer)
        while True:
            async with asyncio.timeout(SILENCE):
                line = await reader.readline()
            if not line:
                raise ConnectionResetError("the connector closed the stream")
            snapshot = read(line)
            if snapshot.owner != owner:
                raise ValueError(f"{owner} spoke for {snapshot.owner}")
            heard(snapshot)
    finally:
        await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """End a stream at once: TLS's own good-bye would wait for an end that may be dead."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
