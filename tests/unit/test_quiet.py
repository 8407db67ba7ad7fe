# SPDX-License-Identifier: Apache-2.0
"""What is done when nothing happens."""

import asyncio

from appliance.quiet import WhenQuiet


async def test_it_is_done_once_after_the_last_event() -> None:
    done = asyncio.Event()
    calls: list[int] = []

    def action() -> None:
        calls.append(1)
        done.set()

    quiet = WhenQuiet(0.01, action)
    quiet.busy()
    quiet.busy()
    async with asyncio.timeout(5):
        await done.wait()
    assert calls == [1]


async def test_closed_it_stays_undone() -> None:
    calls: list[int] = []
    quiet = WhenQuiet(0.0, lambda: calls.append(1))
    quiet.busy()
    quiet.close()
    # A timer that was due would run within this turn of the loop.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not calls
