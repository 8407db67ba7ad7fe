# SPDX-License-Identifier: Apache-2.0
"""What runs in a pod: an HTTP server that answers who it is, on IPv4 and IPv6. Standard library only.

python3 pod_server.py NAME PORT
"""

import json
import socket
import socketserver
import sys

_PATIENCE = 5.0  # seconds for a client to send its request


class _Handler(socketserver.StreamRequestHandler):
    timeout = _PATIENCE

    def handle(self) -> None:
        """Read a request up to its empty line and answer with our name and the client's address."""
        while self.rfile.readline(4096).strip():
            pass
        body = json.dumps({"name": sys.argv[1], "client": self.client_address[0].removeprefix("::ffff:")})
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.wfile.write((head + body).encode())


class _Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True

    def server_bind(self) -> None:
        """Take IPv4 on the same socket."""
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


if __name__ == "__main__":
    with _Server(("::", int(sys.argv[2])), _Handler) as server:
        print("ready", flush=True)  # noqa: T201 -- whoever started it waits for this word
        server.serve_forever()
