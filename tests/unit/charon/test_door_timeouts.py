# SPDX-License-Identifier: Apache-2.0
"""A charon that hangs must not hang the agent with it."""

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from vici.protocol import Message, Packet

from appliance.netcore.charon.door import Charon
from appliance.netcore.errors import DoorError, NotYetError


class Daemon:
    """Takes connections like charon, and answers every command with nothing in it unless `hung`."""

    def __init__(self) -> None:
        self.hung = True
        self.serving: list[asyncio.Task[None] | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.append(asyncio.current_task())
        while header := await reader.read(4):
            await reader.readexactly(struct.unpack("!I", header)[0])
            if not self.hung:
                answer = struct.pack("!B", Packet.CMD_RESPONSE) + Message.serialize({})
                writer.write(struct.pack("!I", len(answer)) + answer)
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    made = Daemon()
    async with await asyncio.start_unix_server(made.serve, tmp_path / "vici"):
        yield made
        await asyncio.gather(*(task for task in made.serving if task is not None))


async def test_every_command_ends(daemon: Daemon, tmp_path: Path) -> None:
    charon = Charon(tmp_path / "vici", timeout=0.02)
    for command in (
        charon.stats(),
        charon.list_sas(),
        charon.load_credentials(("ca",), "leaf", b"key"),
        charon.load_connection("hub", {}),
        charon.terminate_ike("hub", force=True),
    ):
        with pytest.raises(DoorError, match=r"charon did not answer '.*' in 0.02 s"):
            await asyncio.wait_for(command, 5)


async def test_patience_is_short_until_it_answers(daemon: Daemon, tmp_path: Path) -> None:
    charon = Charon(tmp_path / "vici", timeout=1.1)
    for waited in ("1.1", "1"):
        with pytest.raises(DoorError, match=rf"'stats' in {waited} s"):
            await charon.stats()
    daemon.hung = False
    await charon.stats()
    daemon.hung = True
    with pytest.raises(DoorError, match=r"'stats' in 1\.1 s"):
        await charon.stats()


async def test_one_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(NotYetError):
        await Charon(tmp_path / "vici").stats()
