# SPDX-License-Identifier: Apache-2.0
"""A link as a process: packets between two TAP interfaces in two namespaces, delayed, shaped, lost or cut.

    python -m tests.lab.emulator NAMESPACE INTERFACE NAMESPACE INTERFACE SOCKET

It needs no netem, which many kernels lack. It says `ready` when both interfaces are there, and takes new
conditions on the Unix socket (`conditions.py`) until it is ended.
"""

import ctypes
import fcntl
import heapq
import os
import random
import selectors
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.conditions import PERFECT, Conditions, decode

# From linux/if_tun.h.
_TUNSETIFF = 0x400454CA
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
_LARGEST = 65535
#: How many packets of one direction are taken before the other one has its turn.
_BURST = 64


@dataclass
class Direction:
    """One way through the link: what waits to leave, and when the wire is free again."""

    source: int
    sink: int
    waiting: int = 0
    free_at: float = 0.0


@dataclass
class Relay:
    """The packets under way, by the time at which they leave."""

    directions: tuple[Direction, Direction]
    conditions: Conditions = PERFECT
    _under_way: list[tuple[float, int, Direction, bytes]] = field(default_factory=list)
    _count: int = 0

    def take(self, way: Direction, now: float) -> None:
        """Read what has arrived on one side and settle when, or whether, each packet leaves."""
        for _ in range(_BURST):
            try:
                packet = os.read(way.source, _LARGEST)
            except BlockingIOError:
                return
            if self._is_dropped(way):
                continue
            self._count += 1
            way.waiting += 1
            leaves_at = self._leaves_at(way, len(packet), now)
            heapq.heappush(self._under_way, (leaves_at, self._count, way, packet))

    def give(self, now: float) -> float | None:
        """Let go of every packet whose time has come; returns how long until the next one, in seconds."""
        while self._under_way and self._under_way[0][0] <= now:
            _, _, way, packet = heapq.heappop(self._under_way)
            way.waiting -= 1
            if not self.conditions.cut:
                _write(way.sink, packet)
        return max(0.0, self._under_way[0][0] - now) if self._under_way else None

    def _is_dropped(self, way: Direction) -> bool:
        conditions = self.conditions
        return (
            conditions.cut
            or way.waiting >= conditions.queue
            or (conditions.loss > 0 and random.random() * 100 < conditions.loss)
        )

    def _leaves_at(self, way: Direction, size: int, now: float) -> float:
        conditions = self.conditions
        at = now
        if conditions.rate:
            way.free_at = at = max(now, way.free_at) + size * 8 / (conditions.rate * 1e6)
        return at + (conditions.delay + random.uniform(-1, 1) * conditions.jitter) / 1000


def _write(sink: int, packet: bytes) -> None:
    try:
        os.write(sink, packet)
    except OSError:
        # The interface is down: the far end of a cable that is not plugged in.
        return


def open_tap(namespace: str, interface: str) -> int:
    """Make a TAP interface in a namespace and return its file descriptor, with this process where it was."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _enter(libc, there)
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", interface.encode(), _IFF_TAP | _IFF_NO_PI))
        _enter(libc, here)
    finally:
        os.close(there)
        os.close(here)
    return tap


def _enter(libc: ctypes.CDLL, namespace: int) -> None:
    if libc.setns(namespace, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def obey(listener: socket.socket, relay: Relay) -> None:
    """Take one request for new conditions."""
    channel, _ = listener.accept()
    with channel:
        channel.settimeout(1.0)
        try:
            relay.conditions = decode(channel.recv(4096))
            channel.sendall(b"ok\n")
        except (TypeError, ValueError, OSError) as error:
            print(f"refused a request: {error}", file=sys.stderr, flush=True)  # noqa: T201 -- its log


def serve(relay: Relay, listener: socket.socket) -> None:
    """Move packets until the process is ended."""
    selector = selectors.DefaultSelector()
    for way in relay.directions:
        selector.register(way.source, selectors.EVENT_READ, way)
    selector.register(listener, selectors.EVENT_READ)
    pause: float | None = None
    while True:
        for key, _ in selector.select(pause):
            if isinstance(key.data, Direction):
                relay.take(key.data, time.monotonic())
            else:
                obey(listener, relay)
        pause = relay.give(time.monotonic())


def main() -> None:
    """Make both interfaces and relay between them."""
    left_namespace, left, right_namespace, right, control = sys.argv[1:]
    a, b = open_tap(left_namespace, left), open_tap(right_namespace, right)
    Path(control).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(control)
        listener.listen()
        print("ready", flush=True)  # noqa: T201 -- whoever started it waits for this word
        serve(Relay((Direction(a, b), Direction(b, a))), listener)


if __name__ == "__main__":
    main()
