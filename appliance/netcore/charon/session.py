# SPDX-License-Identifier: Apache-2.0
"""One connection to charon's VICI socket, on asyncio.

The `vici` package does the coding of packets. Its own session blocks; on asyncio no command needs a thread
and none waits behind a slow initiation. Protocol: README.md of libcharon/plugins/vici in strongSwan.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vici.exception import DeserializationException
from vici.protocol import Message, Packet

from appliance.netcore.errors import DoorError, NotYetError

#: What VICI speaks: sections of values, lists and sections. Charon answers with bytes for values.
Section = Mapping[str, Any]

_HEADER = struct.Struct("!I")
_MAX_SEGMENT = 512 * 1024  # the protocol's own bound


class Session:
    """One connection: commands in turn, or a stream of events. Opened with `open_session`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def command(self, name: str, message: Section | None = None) -> Section:
        """One command and its answer; raises `DoorError` with charon's own reason if it refuses."""
        await self._send(self._request(name, message))
        return _answer(name, await self._receive())

    async def stream(self, name: str, event: str, message: Section | None = None) -> AsyncIterator[Section]:
        """A command that answers by a stream of `event`s; raises as `command` at the end of it."""
        await self.register(event)
        await self._send(self._request(name, message))
        while True:
            packet = await self._receive()
            if packet.response_type != Packet.EVENT:
                break
            yield _read(packet.payload)
        _answer(name, packet)

    async def register(self, event: str) -> None:
        """From now on charon sends `event` over this connection."""
        await self._send(Packet.register_event(event))
        packet = await self._receive()
        while packet.response_type == Packet.EVENT:
            packet = await self._receive()
        if packet.response_type != Packet.EVENT_CONFIRM:
            raise DoorError(f"charon does not know the event {event!r}: strongSwan 5.9 or newer is needed")

    async def events(self) -> AsyncIterator[tuple[str, Section]]:
        """What was registered for, as it comes."""
        while True:
            packet = await self._receive()
            if packet.response_type == Packet.EVENT:
                yield packet.event_type.decode(), _read(packet.payload)

    def _request(self, name: str, message: Section | None) -> bytes:
        return bytes(Packet.request(name, Message.serialize(message or {})))

    async def _send(self, packet: bytes) -> None:
        try:
            self._writer.write(_HEADER.pack(len(packet)) + packet)
            await self._writer.drain()
        except OSError as error:
            raise _gone(error) from error

    async def _receive(self) -> Any:
        try:
            (length,) = _HEADER.unpack(await self._reader.readexactly(_HEADER.size))
            if length > _MAX_SEGMENT:
                raise DoorError(f"charon sent a packet of {length} bytes: this is no VICI socket")
            return Packet.parse(await self._reader.readexactly(length))
        except (OSError, asyncio.IncompleteReadError) as error:
            raise _gone(error) from error


async def open_session(socket: Path) -> Session:
    """Connect; raises `NotYetError` while no charon listens there."""
    try:
        return Session(*await asyncio.open_unix_connection(socket))
    except OSError as error:
        raise NotYetError(f"waiting for charon: nothing answers at {socket} ({error.strerror})") from error


def _gone(error: Exception) -> NotYetError:
    return NotYetError(f"waiting for charon: it went away in mid-request ({type(error).__name__})")


def _read(payload: Any) -> Section:
    try:
        section: Section = Message.deserialize(payload)
    except DeserializationException as error:
        raise DoorError(f"charon's answer can't be read: {error}") from error
    return section


def _answer(name: str, packet: Any) -> Section:
    if packet.response_type != Packet.CMD_RESPONSE:
        raise DoorError(f"charon does not know the command {name!r}: strongSwan 5.9 or newer is needed")
    section = _read(packet.payload)
    if section.get("success", b"yes") != b"yes":
        reason = section.get("errmsg", b"no reason given").decode(errors="replace")
        raise DoorError(f"charon refused {name!r}: {reason}")
    return section
