# SPDX-License-Identifier: Apache-2.0
"""The site's web proxy, where the way to the control endpoint leads through one: HTTP's CONNECT.

TLS stays between the device and the control endpoint: the proxy sees the host's name and port, and bytes.
"""

import asyncio
import socket
from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from appliance.paths import Paths
from appliance.settings import SettingsError, load_settings
from appliance.sync.errors import ControlError, UnreachableError

_LONGEST_HEAD = 16 * 1024
_CREATED = 300


@dataclass(frozen=True)
class Proxy:
    """Where it is. `authorization` is what it wants to hear of us, if anything."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @classmethod
    def of(cls, url: str) -> "Proxy":
        """Raises `ControlError` if `url` is no http URL."""
        try:
            parsed = urlsplit(url)
            host, port = parsed.hostname, parsed.port or 3128
        except ValueError:
            host, port, parsed = None, 0, urlsplit("")
        if host is None or parsed.scheme != "http":
            raise ControlError("proxy.url in orillo.toml is no http address of a proxy")
        if parsed.username is None:
            return cls(host, port)
        said = f"{unquote(parsed.username)}:{unquote(parsed.password or '')}"
        return cls(host, port, f"Basic {b64encode(said.encode()).decode()}")

    @property
    def url(self) -> str:
        """Without who we are."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}

    def __str__(self) -> str:
        return f"the web proxy {self.host}:{self.port}"


def proxy_of(paths: Paths) -> Proxy | None:
    """The one that the owner's settings name. Raises `ControlError`."""
    try:
        url = load_settings(paths.settings).proxy.url
    except SettingsError as error:
        raise ControlError(str(error)) from error
    return Proxy.of(url) if url else None


async def tunnel(proxy: Proxy, address: str, host: str, port: int) -> socket.socket:
    """A connection to `host` through the proxy at `address`. Raises `OSError`, `ControlError`."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, (address, proxy.port))
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}", "User-Agent: orillo"]
        lines += [f"{name}: {value}" for name, value in proxy.headers.items()]
        await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode())
        _judge(proxy, place, await _head(loop, sock))
    except BaseException:
        sock.close()
        raise
    return sock


def refused(proxy: Proxy, place: str, answer: str) -> UnreachableError:
    """What it means that the proxy lets nobody through."""
    if answer.startswith("407"):
        return UnreachableError(f"{proxy} wants a name and a password: set them in proxy.url of orillo.toml")
    return UnreachableError(f"{proxy} does not let us through to {place}: it answers {answer}")


async def _head(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> bytes:
    """The answer's head. Nothing can follow it yet: in TLS the client speaks first."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = await loop.sock_recv(sock, _LONGEST_HEAD)
        head += part
        if not part or len(head) > _LONGEST_HEAD:
            raise ConnectionResetError("the proxy hung up")
    return head


def _judge(proxy: Proxy, place: str, head: bytes) -> None:
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ", 1)
    answer = words[1].strip() if len(words) == 2 else "nonsense"
    if not (words[0].startswith("HTTP/1.") and answer[:3].isdigit() and 200 <= int(answer[:3]) < _CREATED):
        raise refused(proxy, place, answer)
