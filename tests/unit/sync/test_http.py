# SPDX-License-Identifier: Apache-2.0
"""HTTP as the daemon speaks it, against servers that say what they like. All on loopback."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from appliance.sync.errors import ControlError, RefusedError, UnreachableError
from appliance.sync.http import Http, Request
from tests.fakes.control_endpoint import FakeCa


class Server:
    """Answers each request of a connection with the next of `answers`, and then hangs up."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self._answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
                body = await reader.readexactly(int(length[0].split()[1]) if length else 0)
                self.requests.append(head + body)
                said = self._answers.pop(0)
                writer.write(said)
                await writer.drain()
                if b"Connection: close" in said:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@asynccontextmanager
async def serving(server: Server, tmp_path: Path) -> AsyncIterator[Http]:
    """A client of it, which believes anybody."""
    pem = tmp_path / "server.pem"
    pem.write_bytes(FakeCa().server("127.0.0.1"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    believing = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    believing.check_hostname = False
    believing.verify_mode = ssl.CERT_NONE
    http = Http(f"https://127.0.0.1:{port}", believing)
    try:
        yield http
    finally:
        await http.close()
        listening.close()
        await listening.wait_closed()


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """One with its length."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""])
    return head.encode() + body


async def test_requests_share_a_connection_until_the_far_end_closes_it(tmp_path: Path) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    server = Server(
        answer(b"one", "200 OK", 'ETag: "x1"'),
        chunked,
        answer(b"three", "200 OK", "Connection: close"),
        answer(b"four"),
    )
    async with serving(server, tmp_path) as http:
        first = await http.send(Request("GET", "/a"))
        assert (first.status, first.etag, first.body) == (200, "x1", b"one")
        assert (await http.send(Request("POST", "/b", {"X": "y"}, b"body"))).body == b"abcde"
        assert server.requests[1].endswith(b"\r\n\r\nbody")
        assert (await http.send(Request("GET", "/c"))).body == b"three"
        assert server.connections == 1
        assert (await http.send(Request("GET", "/d"))).body == b"four"
        assert server.connections == 2


async def test_an_answer_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    async with serving(Server(answer(bytes(5000))), tmp_path) as http:
        with pytest.raises(ControlError, match="more than 1000 bytes"):
            await http.send(Request("GET", "/", limit=1000))


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b""])
async def test_who_hangs_up_in_the_middle_closed_the_connection(tmp_path: Path, said: bytes) -> None:
    async with serving(Server(said), tmp_path) as http:
        with pytest.raises(UnreachableError, match="closed the connection"):
            await http.send(Request("GET", "/"))


async def test_what_is_no_http_is_no_operator(tmp_path: Path) -> None:
    async with serving(Server(b"220 mail.example ESMTP\r\n\r\n"), tmp_path) as http:
        with pytest.raises(UnreachableError, match="is it an Orillo operator"):
            await http.send(Request("GET", "/"))


async def test_a_refusal_keeps_the_connection(tmp_path: Path) -> None:
    refusal = answer(b'{"error":"identity-revoked","message":"gone"}', "403 Forbidden")
    server = Server(refusal, answer(b"", "304 Not Modified"))
    async with serving(server, tmp_path) as http:
        with pytest.raises(RefusedError) as refused:
            await http.send(Request("GET", "/"))
        assert refused.value.code == "identity-revoked"
        assert (await http.send(Request("GET", "/"))).status == 304
        assert server.connections == 1
