# SPDX-License-Identifier: Apache-2.0
"""One HTTP request from inside a pod, as small as curl. Standard library only.

    python3 pod_client.py 4|6 HOST PORT SECONDS

Prints the answer's body. Exit status 1 with one line on standard error if there was none.
"""

import socket
import sys


def fetch(family: socket.AddressFamily, host: str, port: int, patience: float) -> str:
    """The body of one GET; the name is resolved as the pod's resolv.conf says."""
    *_, address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0]
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(patience)
        connection.connect(address)
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    return answer.decode().partition("\r\n\r\n")[2]


if __name__ == "__main__":
    kind = socket.AF_INET6 if sys.argv[1] == "6" else socket.AF_INET
    try:
        print(fetch(kind, sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))  # noqa: T201 -- its output
    except OSError as error:
        sys.exit(f"{sys.argv[2]} port {sys.argv[3]}: {error}")
