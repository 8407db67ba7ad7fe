# SPDX-License-Identifier: Apache-2.0
"""A web proxy on loopback that knows CONNECT (RFC 9110, section 9.3.6), as small as a real one can be.

It carries bytes, asks for a name and a password if it has one, and lets nobody to ports it does not allow.
"""

import asyncio
import base64
import logging
import sys
from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


@dataclass
class WebProxy:
    """`asked` are the places that were asked for, in order; `known` is `name:password`, if it wants one."""

    known: str = ""
    allowed: Container[int] = range(1, 65536)
    #: Names that the proxy alone can resolve.
    names: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    host: str = "127.0.0.1"
    port: int = 0

    def url(self, user: str = "") -> str:
        return f"http://{user}{'@' if user else ''}{self.host}:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["WebProxy"]:
        server = await asyncio.start_server(self._talk, self.host, self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            status, host, port = self._judge((await reader.readuntil(b"\r\n\r\n")).decode())
            if status != "200 Connection established":
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
            else:
                far_reader, far_writer = await asyncio.open_connection(host, port)
                writer.write(f"HTTP/1.1 {status}\r\n\r\n".encode())
                await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
        writer.close()

    def _judge(self, head: str) -> tuple[str, str, int]:
        first, *lines = head.rstrip().split("\r\n")
        method, place, _version = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        host, _, port = place.rpartition(":")
        if method != "CONNECT":
            return "405 Method Not Allowed", "", 0
        wanted = f"Basic {base64.b64encode(self.known.encode()).decode()}"
        if self.known and headers.get("proxy-authorization") != wanted:
            return "407 Proxy Authentication Required", "", 0
        self.asked.append(place)
        log.info("asked for %s", place)
        if int(port) not in self.allowed:
            return "403 Forbidden", "", 0
        return "200 Connection established", self.names.get(host, host), int(port)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    with suppress(OSError):
        writer.close()


async def _serve(host: str, port: int) -> None:
    async with WebProxy(host=host, port=port).serving():
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))
