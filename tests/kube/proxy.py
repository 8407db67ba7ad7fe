# SPDX-License-Identifier: Apache-2.0
"""A path to a server that can be cut, cut short in the middle of something, or made to swallow everything."""

import asyncio
from types import TracebackType
from typing import Self


class Proxy:
    """A TCP relay on loopback. What it counts are connections that clients opened."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._frozen: set[asyncio.StreamWriter] = set()
        self._budget: int | None = None
        self._refusing = False
        self.connections = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Reset every connection."""
        for writer in list(self._open):
            writer.transport.abort()

    def refuse(self, refusing: bool) -> None:
        """End new connections at once, or let them through again."""
        self._refusing = refusing

    def freeze(self) -> None:
        """Swallow what the server sends on the present connections from now on."""
        self._frozen |= self._open

    def cut_after(self, count: int) -> None:
        """Hand `count` more bytes of the server's on, then reset every connection."""
        self._budget = count

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._refusing:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._forward(reader, forth))
                ways.create_task(self._back(back, writer))
        except* OSError:
            pass
        finally:
            writer.transport.abort()
            forth.transport.abort()
            self._open.discard(writer)
            self._frozen.discard(writer)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
        raise ConnectionResetError

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(65536):
            if writer in self._frozen:
                continue
            if self._budget is not None:
                part, self._budget = part[: self._budget], self._budget - len(part)
            writer.write(part)
            await writer.drain()
            if self._budget is not None and self._budget <= 0:
                self._budget = None
                self.cut()
        raise ConnectionResetError
