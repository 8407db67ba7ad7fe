# SPDX-License-Identifier: Apache-2.0
"""One TCP connection that carries numbered blocks until SIGTERM. Standard library only.

    python3 transfer.py receive PORT
    python3 transfer.py send HOST PORT

The sender's last line is `carried N of N blocks`; a connection that ended before is exit status 1.
"""

import signal
import socket
import struct
import sys
import time

_BLOCK = struct.Struct("!Q1016x")
_PAUSE = 0.01
_PATIENCE = 60.0


def receive(port: int) -> None:
    """Take one connection; answer at its end how many blocks came, in order and whole."""
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        print("ready", flush=True)  # noqa: T201 -- whoever started it waits for this word
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as stream:
            count = 0
            while block := stream.read(_BLOCK.size):
                if _BLOCK.unpack(block)[0] != count:
                    sys.exit(f"block {count} is another one")
                count += 1
            connection.sendall(f"{count}\n".encode())


def send(host: str, port: int) -> None:
    """Send blocks until told to stop, then ask what arrived."""
    over: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: over.append(number))
    with socket.create_connection((host, port), _PATIENCE) as connection:
        count = 0
        while not over:
            connection.sendall(_BLOCK.pack(count))
            count += 1
            if count == 100:
                print("flows", flush=True)  # noqa: T201 -- as above
            time.sleep(_PAUSE)
        connection.shutdown(socket.SHUT_WR)
        arrived = connection.makefile().readline().strip()
    print(f"carried {arrived} of {count} blocks")  # noqa: T201 -- its output
    sys.exit(int(arrived) != count)


if __name__ == "__main__":
    try:
        receive(int(sys.argv[2])) if sys.argv[1] == "receive" else send(sys.argv[2], int(sys.argv[3]))
    except (OSError, ValueError) as error:
        sys.exit(f"the connection ended: {error}")
