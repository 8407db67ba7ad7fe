# SPDX-License-Identifier: Apache-2.0
"""IKE, DNS, ARP and TCP as they are asked, on loopback or on bytes."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, ip_address
from typing import cast

import pytest

from appliance.netcore.kernel import arp
from appliance.netcore.probe import ike, names
from appliance.netcore.probe.ports import Knock, http_head, knock

HERE = ip_address("127.0.0.1")


class Echo(asyncio.DatagramProtocol):
    """Answers each datagram by a function of it."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self.answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self.answer(data)
        if answer is not None:
            self.transport.sendto(answer, addr)


@asynccontextmanager
async def answering(answer: Callable[[bytes], bytes | None]) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Echo(answer), local_addr=(str(HERE), 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((str(HERE), 0))
        return int(sock.getsockname()[1])


def test_init_is_a_whole_ike_message() -> None:
    message = ike.sa_init(b"12345678")
    spi, answer, following, version, exchange, flags, number, length = struct.unpack_from(
        "!8s8sBBBBII", message
    )
    assert (spi, answer, version, exchange, flags, number) == (b"12345678", bytes(8), 0x20, 34, 8, 0)
    assert length == len(message)
    place, kinds = 28, []
    while following:
        kinds.append(following)
        following, _, size = struct.unpack_from("!BBH", message, place)
        place += size
    assert kinds == [33, 34, 40]
    assert place == length


@pytest.mark.parametrize("marker", [True, False])
async def test_any_answer_with_our_spi_counts(marker: bool) -> None:
    skip = 4 if marker else 0
    async with answering(lambda data: data[: skip + 8] + b"rest") as port:
        assert await ike.ask(HERE, port, 2.0, marker=marker) is ike.Answer.ANSWERED


async def test_answer_to_somebody_else_does_not_count() -> None:
    async with answering(lambda _: b"87654321 rest") as port:
        assert await ike.ask(HERE, port, 0.1, marker=False) is ike.Answer.SILENT


async def test_closed_port_is_a_refusal() -> None:
    answer = await ike.ask(HERE, free_port(socket.SOCK_DGRAM), 2.0, marker=False)
    assert answer is ike.Answer.REFUSED


def reply(query: bytes) -> bytes:
    """Two answers, with names compressed as servers do."""
    (ident,) = struct.unpack_from("!H", query)
    records = b"".join(
        struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
        for kind, data in (
            (1, bytes([192, 0, 2, 1])),
            (5, b"\x01a\0"),
            (28, ip_address("2001:db8::1").packed),
        )
    )
    return struct.pack("!6H", ident, 0x8180, 1, 3, 0, 0) + query[12:] + records


def test_answer_is_read_with_what_is_of_no_interest_skipped() -> None:
    query = names.question(7, "www.example.org", "A")
    answer = names.read_answer(reply(query), 7)
    assert answer == names.Answer(0, frozenset(map(ip_address, ("192.0.2.1", "2001:db8::1"))))
    assert names.read_answer(reply(query), 8) is None


@pytest.mark.parametrize("size", range(0, 60, 7))
def test_torn_answer_is_none(size: int) -> None:
    query = names.question(7, "www.example.org", "A")
    assert names.read_answer(reply(query)[:size], 7) is None


def test_owner_is_read_from_a_reply_alone() -> None:
    target, mac = IPv4Address("192.0.2.7"), bytes.fromhex("020000000007")
    asked = arp.request(mac, IPv4Address(0), target)
    assert arp.read_owner(asked, target) is None
    answer = asked[:20] + struct.pack("!H", 2) + mac + target.packed + asked[32:]
    assert arp.read_owner(answer, target) == mac
    assert arp.read_owner(answer, IPv4Address("192.0.2.8")) is None
    assert arp.read_owner(answer[:30], target) is None


async def test_knock_tells_open_from_refused_and_unknown() -> None:
    server = await asyncio.start_server(lambda _r, w: w.close(), str(HERE), 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await knock(str(HERE), port, 2.0) is Knock.OPEN
    assert await knock(str(HERE), free_port(socket.SOCK_STREAM), 2.0) is Knock.REFUSED


async def test_http_head_is_empty_for_what_is_no_http() -> None:
    async def serve(words: bytes) -> str:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(words)
            writer.close()

        server = await asyncio.start_server(talk, str(HERE), 0)
        async with server:
            return await http_head(str(HERE), server.sockets[0].getsockname()[1], 2.0)

    assert (await serve(b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\nbody")).endswith("http://x/")
    assert await serve(b"SSH-2.0-x\r\n\r\n") == ""
