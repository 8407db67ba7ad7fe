# SPDX-License-Identifier: Apache-2.0
"""A server that stands where another should: `pretender.py KIND PORT DIRECTORY`; see `_ANSWERS`."""

import asyncio
import ssl
import sys
from pathlib import Path
from typing import cast

_ANSWERS = {
    "portal": "HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/\r\n",
    "proxy": 'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="web"\r\n',
    "tls": "HTTP/1.1 200 OK\r\n",
    "old": "HTTP/1.1 200 OK\r\n",
    "ill": "HTTP/1.1 500 Internal Server Error\r\n",
    "ssh": "SSH-2.0-OpenSSH_9.2\r\n",
}
_WITH_TLS = ("tls", "old", "ill")


class NameServer(asyncio.DatagramProtocol):
    """Answers every question with SERVFAIL (RFC 1035, section 4.1.1)."""

    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it to answer by."""
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """The question comes back with the answer's bits."""
        self.transport.sendto(data[:2] + b"\x80\x82" + data[4:], address)


async def main(kind: str, port: int, directory: Path) -> None:
    """Serve until killed."""
    if kind == "dns":
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(NameServer, local_addr=("0.0.0.0", port))
        print("ready", flush=True)
        await asyncio.Event().wait()
    answer = f"{_ANSWERS[kind]}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(answer)
        writer.close()

    context = None
    if kind in _WITH_TLS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    server = await asyncio.start_server(serve, "0.0.0.0", port, ssl=context)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
