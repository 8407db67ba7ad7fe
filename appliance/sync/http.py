# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 over TLS for the resident daemon, on asyncio's own streams. The one module that imports `h11`.

The long poll holds a connection all day, so that what carries it is in memory all day: httpx and what it
imports would be a sixth of the daemon (ARCHITECTURE.md, "The build"). What lives shortly uses httpx.
"""

import asyncio
import socket
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

import h11

from appliance.sync.errors import ControlError
from appliance.sync.proxy import Proxy, tunnel
from appliance.sync.troubles import refused, trouble

CONNECT = 10.0
ANSWER = 15.0

SMALL = 1 << 20

# A dead path shows within 35 s although the long poll sends nothing, and a lost request within 20 s (tcp(7)).
SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20_000),
)

# asyncio takes 256 KiB for each TLS connection to read into; a record of TLS has 16 (RFC 8446, section 5.1).
_READ_AT_ONCE = 16 * 1024
SSLProtocol.max_size = _READ_AT_ONCE  # there is no parameter for it

_NOT_MODIFIED = 304
#: Connections kept open between requests: one for the long poll, one for all else.
_KEPT = 2


@dataclass(frozen=True)
class Answer:
    """Status, ETag and body of one response."""

    status: int
    etag: str
    body: bytes


@dataclass(frozen=True)
class Request:
    """What is asked; `limit` is the most that is read of an answer, in bytes."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    limit: int = SMALL


@dataclass(frozen=True)
class Place:
    """Host and port of an https URL."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Place":
        """Raises `ControlError` if `url` is no https URL."""
        try:
            parsed = urlsplit(url)
            host, port = parsed.hostname, parsed.port or 443
        except ValueError:
            host, port = None, 0
        if host is None or parsed.scheme != "https":
            raise ControlError(f"{url!r} is no https address: the token or the stored identity is damaged")
        return cls(host, port)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Http:
    """Connections to one URL under one TLS context, kept open between requests."""

    def __init__(self, url: str, context: ssl.SSLContext, proxy: Proxy | None = None) -> None:
        self.where = Place.of(url)
        self._proxy = proxy
        self._context = context
        self._idle: list[_Line] = []

    async def send(self, request: Request, wait: float = 0.0) -> Answer:
        """One request; the answer may take `wait` seconds longer than usual. Raises `ControlError`."""
        try:
            line = self._take() or await self._open()
            try:
                async with asyncio.timeout(ANSWER + wait):
                    answer = await line.exchange(request)
            except BaseException:
                line.close()
                raise
        except (h11.ProtocolError, OSError, ssl.SSLError) as error:
            raise trouble(error, str(self.where)) from error
        self._put_back(line)
        if answer.status >= 300 and answer.status != _NOT_MODIFIED:
            raise refused(answer.status, answer.body, str(self.where))
        return answer

    async def close(self) -> None:
        """Give up the connections."""
        for line in self._idle:
            line.close()
        self._idle.clear()

    def _take(self) -> "_Line | None":
        while self._idle:
            line = self._idle.pop()
            if line.usable:
                return line
            line.close()
        return None

    def _put_back(self, line: "_Line") -> None:
        if line.usable and len(self._idle) < _KEPT:
            self._idle.append(line)
        else:
            line.close()

    async def _open(self) -> "_Line":
        """Try the addresses of the host in turn; raises what the first of them said."""
        async with asyncio.timeout(CONNECT):
            # Names behind a proxy are looked up by it.
            near = self.where if self._proxy is None else Place(self._proxy.host, self._proxy.port)
            addresses = await _addresses(near)
            first: OSError | None = None
            for number, address in enumerate(addresses):
                # A silent address must leave time for the next one.
                last = number == len(addresses) - 1
                try:
                    async with asyncio.timeout(None if last else CONNECT / len(addresses)):
                        return await self._connect(address)
                except OSError as error:
                    first = first or error
        raise first or OSError("no address")

    async def _connect(self, address: str) -> "_Line":
        host, port = self.where.host, self.where.port
        if self._proxy is None:
            streams = await asyncio.open_connection(
                address, port, ssl=self._context, server_hostname=host, limit=_READ_AT_ONCE
            )
        else:
            through = await tunnel(self._proxy, address, host, port)
            streams = await asyncio.open_connection(
                sock=through, ssl=self._context, server_hostname=host, limit=_READ_AT_ONCE
            )
        sock = streams[1].get_extra_info("socket")
        for option in SOCKET_OPTIONS:
            sock.setsockopt(*option)
        return _Line(*streams, str(self.where))


async def _addresses(where: Place) -> list[str]:
    """Where the host is; an address is one already, and needs no thread to look it up."""
    try:
        return [str(ip_address(where.host))]
    except ValueError:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(info[4][0]) for info in found))


class _Line:
    """One connection, for one exchange at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, where: str) -> None:
        self._reader = reader
        self._writer = writer
        self._where = where
        self._http = h11.Connection(h11.CLIENT)

    @property
    def usable(self) -> bool:
        """Whether another request may be sent: both ends are done, and the far one has not hung up."""
        return self._http.our_state is h11.IDLE and not self._reader.at_eof()

    async def exchange(self, request: Request) -> Answer:
        """Send and read to the end of the answer."""
        for event in _events(request, self._where):
            self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()
        head = await self._next()
        while isinstance(head, h11.InformationalResponse):
            head = await self._next()
        if not isinstance(head, h11.Response):
            raise ConnectionResetError("hung up before the answer")
        etag = dict(head.headers).get(b"etag", b"").decode("latin-1").strip('"')
        answer = Answer(head.status_code, etag, await self._body(request))
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return answer

    def close(self) -> None:
        """Hang up, without the far end's consent."""
        self._writer.transport.abort()

    async def _body(self, request: Request) -> bytes:
        parts: list[bytes] = []
        size = 0
        while isinstance(event := await self._next(), h11.Data):
            size += len(event.data)
            if size > request.limit:
                raise ControlError(
                    f"{self._where} sent more than {request.limit} bytes: is it an Orillo operator?"
                )
            parts.append(bytes(event.data))
        return b"".join(parts)

    async def _next(self) -> object:
        data: bytes | None = None
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                if data == b"":
                    raise ConnectionResetError("hung up in the answer") from error
                raise
            if event is not h11.NEED_DATA:
                return event
            data = await self._reader.read(_READ_AT_ONCE)
            self._http.receive_data(data)


def _events(request: Request, where: str) -> Iterator[h11.Request | h11.Data | h11.EndOfMessage]:
    length = {"Content-Length": str(len(request.body))} if request.method != "GET" else {}
    headers = {"Host": where, "User-Agent": "orillo", **length, **request.headers}
    yield h11.Request(method=request.method, target=request.path, headers=list(headers.items()))
    if request.body:
        yield h11.Data(data=request.body)
    yield h11.EndOfMessage()
