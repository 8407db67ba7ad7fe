# SPDX-License-Identifier: Apache-2.0
"""Tell the service manager how we are: sd_notify(3), which is one datagram."""

import os
import socket
from contextlib import suppress

READY = "READY=1"
ALIVE = "WATCHDOG=1"
STOPPING = "STOPPING=1"
#: What follows it, one line, is shown by systemctl(1).
STATUS = "STATUS="


def notify(state: str) -> None:
    """Send one state; nothing happens where no manager listens, and none is lost that anybody waits for."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    # A name that starts with @ is in the abstract namespace (unix(7)).
    place = f"\0{address[1:]}" if address.startswith("@") else address
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        sender.sendto(state.encode(), place)
