# SPDX-License-Identifier: Apache-2.0
"""Does a TCP port answer, and what speaks there in clear?"""

import asyncio
import errno
import socket
from contextlib import suppress
from enum import StrEnum

_LONGEST_HEAD = 4096


class Knock(StrEnum):
    """What a connection attempt came to."""

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "silent"
    NO_ROUTE = "no-route"
    BLOCKED = "blocked"
    NO_NAME = "no-name"


async def knock(host: str, port: int, timeout: float) -> Knock:
    """Connect and hang up."""
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Knock.SILENT
    except OSError as error:
        return reason(error)
    writer.close()
    return Knock.OPEN


def reason(error: OSError) -> Knock:
    """Why a connection could not be made."""
    if isinstance(error, socket.gaierror):
        return Knock.NO_NAME
    if isinstance(error, ConnectionError):
        return Knock.REFUSED
    if error.errno in (errno.EPERM, errno.EACCES):
        return Knock.BLOCKED
    return Knock.NO_ROUTE if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH) else Knock.SILENT


async def http_head(host: str, port: int, timeout: float) -> str:
    """The head of what a server says to a plain HTTP request; empty if it says nothing of that kind."""
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nUser-Agent: orillo\r\n\r\n"
    head = b""
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request.encode())
                while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD:
                    if not (part := await reader.read(_LONGEST_HEAD)):
                        break
                    head += part
            finally:
                writer.close()
    text = head.partition(b"\r\n\r\n")[0].decode("latin-1")
    return text if text.startswith("HTTP/") else ""
