# SPDX-License-Identifier: Apache-2.0
"""The control protocol's bytes, against a server that plays unbound's part."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from appliance.netcore.dnscache.control import UnboundControl
from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.records import Record

V4, V6 = ip_address("10.96.0.10"), ip_address("fd00:96::10")


@asynccontextmanager
async def unbound(socket: Path, answer: Callable[[str], str]) -> AsyncIterator[list[bytes]]:
    """Answers by the first line of each request; yields all that it was sent."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readline()
        command = request.decode().removeprefix("UBCT1 ").strip()
        while command.startswith("local_datas") and not request.endswith(b"\x04\n"):
            request += await reader.readline()
        requests.append(request)
        writer.write(answer(command).encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(serve, socket):
        yield requests


async def test_commands_and_data_are_framed_as_unbound_reads_them(tmp_path: Path) -> None:
    socket = tmp_path / "ctl"
    async with unbound(socket, lambda _: "ok\n") as requests:
        control = UnboundControl(socket)
        await control.add_records([Record("a.example.", 5, V4), Record("a.example.", 5, V6)])
        await control.remove_names(["a.example."])
        await control.put_forward(".", [V4])
        await control.put_forward("corp.", [V6, V4])
        await control.remove_forward("corp.")
        await control.reload()
    assert requests == [
        b"UBCT1 local_datas\na.example. 5 IN A 10.96.0.10\na.example. 5 IN AAAA fd00:96::10\n\x04\n",
        b"UBCT1 local_datas_remove\na.example.\n\x04\n",
        b"UBCT1 forward_add . 10.96.0.10\n",
        b"UBCT1 flush_negative\n",
        b"UBCT1 flush_infra all\n",
        b"UBCT1 local_zone corp. transparent\n",
        b"UBCT1 forward_add corp. 10.96.0.10 fd00:96::10\n",
        b"UBCT1 flush_negative\n",
        b"UBCT1 flush_infra all\n",
        b"UBCT1 forward_remove corp.\n",
        b"UBCT1 local_zone_remove corp.\n",
        b"UBCT1 reload\n",
    ]


async def test_much_data_goes_in_portions_and_none_goes_not_at_all(tmp_path: Path) -> None:
    socket = tmp_path / "ctl"
    async with unbound(socket, lambda _: "added\n") as requests:
        control = UnboundControl(socket)
        await control.add_records(Record(f"n{n}.", 5, V4) for n in range(1001))
        await control.add_records([])
    assert [request.count(b"\n") - 2 for request in requests] == [500, 500, 1]


async def test_listings_are_read(tmp_path: Path) -> None:
    """As unbound 1.17 writes them; what every unbound has by itself is left out."""
    listings = {
        "list_local_data": (
            "localhost.\t10800\tIN\tA\t127.0.0.1\n\n"
            "localhost.\t10800\tIN\tSOA\tlocalhost. nobody.invalid. 1 3600 1200 604800 10800\n\n"
            "web.\t5\tIN\tA\t10.96.0.10\n\nweb.\t5\tIN\tAAAA\tfd00:96::10\n\n"
        ),
        "list_forwards": ". IN forward fd00:96::10 10.96.0.10\ncorp. IN forward 10.96.0.10@5353\n",
    }
    socket = tmp_path / "ctl"
    async with unbound(socket, listings.__getitem__):
        control = UnboundControl(socket)
        assert await control.records() == {Record("web.", 5, V4), Record("web.", 5, V6)}
        assert await control.forwards() == {".": {V4, V6}, "corp.": {V4}}


async def test_a_refusal_names_the_command_and_the_reason(tmp_path: Path) -> None:
    socket = tmp_path / "ctl"
    async with unbound(socket, lambda _: "error parsing local-data\nadded 0 datas\n"):
        with pytest.raises(DoorError, match="refused `local_datas`: error parsing local-data"):
            await UnboundControl(socket).add_records([Record("x.", 5, V4)])


async def test_no_socket_or_nobody_behind_it_is_not_yet(tmp_path: Path) -> None:
    socket = tmp_path / "ctl"
    with pytest.raises(NotYetError, match="waiting for unbound"):
        await UnboundControl(socket).records()
    async with unbound(socket, lambda _: ""):
        pass
    assert socket.exists()
    with pytest.raises(NotYetError):
        await UnboundControl(socket).records()


async def test_silence_and_a_path_too_long_are_errors_of_the_door(tmp_path: Path) -> None:
    hush = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hush.wait()
        writer.close()

    socket = tmp_path / "ctl"
    async with await asyncio.start_unix_server(silent, socket):
        with pytest.raises(DoorError, match=r"did not answer `list_forwards` in 0.01 s"):
            await UnboundControl(socket, timeout=0.01).forwards()
        hush.set()
    with pytest.raises(DoorError, match="can't speak to unbound"):
        await UnboundControl(tmp_path / ("long" * 40)).forwards()


async def test_patience_is_short_until_it_answers(tmp_path: Path) -> None:
    """A pass asks more than once, and a failover must not wait behind a cache that hangs."""
    socket, hung, ended = tmp_path / "ctl", asyncio.Event(), asyncio.Semaphore(0)
    hung.set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        if hung.is_set():
            await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.release()

    async with await asyncio.start_unix_server(serve, socket):
        control = UnboundControl(socket, timeout=1.1)
        for waited in (r"1\.1", "1"):
            with pytest.raises(DoorError, match=rf"`list_forwards` in {waited} s"):
                await control.forwards()
        hung.clear()
        assert await control.forwards() == {}
        hung.set()
        with pytest.raises(DoorError, match=r"`list_forwards` in 1\.1 s"):
            await control.forwards()
        for _ in range(4):
            await asyncio.wait_for(ended.acquire(), 5)
