# SPDX-License-Identifier: Apache-2.0
"""Being told that links, addresses, routes or rules changed.

What changed is not read: an event carries no truth, it says "look again". So this needs no parser, only a
socket in the kernel's multicast groups (rtnetlink(7), linux/rtnetlink.h).
"""

import asyncio
import errno
import socket
from collections.abc import AsyncGenerator

from appliance.netcore.errors import DoorError

_GROUPS = (
    1,  # RTNLGRP_LINK
    5,  # RTNLGRP_IPV4_IFADDR
    7,  # RTNLGRP_IPV4_ROUTE
    8,  # RTNLGRP_IPV4_RULE
    9,  # RTNLGRP_IPV6_IFADDR
    11,  # RTNLGRP_IPV6_ROUTE
    19,  # RTNLGRP_IPV6_RULE
)
_BUFFER = 65536


async def changes() -> AsyncGenerator[None, None]:
    """Yield whenever something changed; changes that come together are told once. Raises `DoorError`.

    The socket listens before the first yield, which comes at once: look, then wait, and nothing is missed.
    """
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    with _listening() as listener:
        loop.add_reader(listener, _drain, listener, event)
        try:
            yield
            while True:
                await event.wait()
                event.clear()
                yield
        finally:
            loop.remove_reader(listener)


def _listening() -> socket.socket:
    try:
        listener = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        )
        listener.bind((0, sum(1 << (group - 1) for group in _GROUPS)))
    except OSError as error:
        raise DoorError(f"can't listen for network changes: {error.strerror}") from error
    return listener


def _drain(listener: socket.socket, event: asyncio.Event) -> None:
    """Empty the socket. An overrun is a change like any other, since nothing is read from what was lost."""
    event.set()
    while True:
        try:
            listener.recv(_BUFFER)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                return
