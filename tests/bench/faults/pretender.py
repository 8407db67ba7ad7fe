# SPDX-License-Identifier: Apache-2.0
"""A server that stands where another should: `pretender.py portal|proxy|tls PORT DIRECTORY`."""

import asyncio
import ssl
import sys
from pathlib import Path

_ANSWERS = {
    "portal": "HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/\r\n",
    "proxy": 'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="web"\r\n',
    "tls": "HTTP/1.1 200 OK\r\n",
}


async def main(kind: str, port: int, directory: Path) -> None:
    """Serve until killed."""
    answer = f"{_ANSWERS[kind]}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(answer)
        writer.close()

    context = None
    if kind == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    server = await asyncio.start_server(serve, "0.0.0.0", port, ssl=context)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
