# SPDX-License-Identifier: Apache-2.0
"""The TCP connect of a probe, on loopback."""

import asyncio
import socket
from ipaddress import ip_address

from appliance.netcore.probe.backends import BackendProbes, Target, tcp_answers

LOOPBACK = ip_address("127.0.0.1")


async def test_a_listener_answers_and_its_absence_does_not() -> None:
    seen = asyncio.Event()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set()
        writer.transport.abort()

    server = await asyncio.start_server(accept, str(LOOPBACK), 0)
    port = server.sockets[0].getsockname()[1]
    assert await tcp_answers((LOOPBACK, port))
    await asyncio.wait_for(seen.wait(), 5)
    server.close()
    await server.wait_closed()
    assert not await tcp_answers((LOOPBACK, port))


async def test_one_that_hangs_is_given_up() -> None:
    """A listener whose queue is full: the kernel leaves our SYN unanswered."""
    with socket.create_server((str(LOOPBACK), 0), backlog=0) as server:
        target = (LOOPBACK, server.getsockname()[1])
        with socket.create_connection(server.getsockname()):
            assert not await tcp_answers(target, timeout=0.05)


async def test_what_really_listens_is_what_is_said() -> None:
    said: asyncio.Queue[frozenset[Target]] = asyncio.Queue()
    server = await asyncio.start_server(lambda _, w: w.transport.abort(), str(LOOPBACK), 0)
    target = (LOOPBACK, server.sockets[0].getsockname()[1])
    probes = BackendProbes(said.put_nowait, interval=0.01)
    probes.set_targets({target})
    probes.start()
    try:
        server.close()
        await server.wait_closed()
        assert await asyncio.wait_for(said.get(), 5) == {target}
        again = await asyncio.start_server(lambda _, w: w.transport.abort(), str(LOOPBACK), target[1])
        assert await asyncio.wait_for(said.get(), 5) == frozenset()
        again.close()
        await again.wait_closed()
    finally:
        await probes.stop()
