# SPDX-License-Identifier: Apache-2.0
"""`GET /metrics` over HTTP for a Prometheus that scrapes, where the owner has set an address for it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from appliance.netcore.errors import DoorError
from appliance.netcore.plan.values import Address
from appliance.status.metrics import CONTENT_TYPE

_PATIENCE = 5.0
_LONGEST_HEAD = 8192


class MetricsServer:
    """Serves `text()` at `/metrics`, and nothing else."""

    def __init__(self, address: Address, port: int, text: Callable[[], str]) -> None:
        self._address = address
        self._port = port
        self._text = text
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; the port. Raises `DoorError`."""
        try:
            self._server = await asyncio.start_server(
                self._serve, str(self._address), self._port, limit=_LONGEST_HEAD
            )
        except OSError as error:
            where = f"{self._address} port {self._port}"
            raise DoorError(
                f"can't serve metrics at {where}: {error.strerror}: see [metrics] in orillo.toml"
            ) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        writer.close()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path != b"/metrics":
            return _response("404 Not Found", "text/plain", b"the metrics are at /metrics\n")
        if method != b"GET":
            return _response("405 Method Not Allowed", "text/plain", b"GET only\n")
        return _response("200 OK", CONTENT_TYPE, self._text().encode())


def _response(status: str, kind: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join((*head, "", "")).encode() + body
