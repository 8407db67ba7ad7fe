# SPDX-License-Identifier: Apache-2.0
"""The door to processes, on programs that every machine has."""

import asyncio
import sys

import pytest

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.processes import missing, run


async def test_output_is_returned_and_input_is_passed() -> None:
    assert await run("cat", input=b"through") == b"through"
    assert await run("echo", "out") == b"out\n"


async def test_no_input_is_an_empty_one_not_ours() -> None:
    assert await run("cat") == b""


async def test_failure_names_program_status_and_last_line() -> None:
    script = "import sys; print('first', file=sys.stderr); sys.exit('the last line')"
    with pytest.raises(DoorError, match=r"-c .* ended with status 1: the last line"):
        await run(sys.executable, "-c", script)


async def test_arguments_past_the_third_are_not_told() -> None:
    with pytest.raises(DoorError) as told:
        await run("sh", "-c", "exit 3", "hidden-word")
    assert "hidden-word" not in str(told.value)
    assert "status 3: no message" in str(told.value)


async def test_death_by_signal_is_told() -> None:
    with pytest.raises(DoorError, match="signal 9"):
        await run("sh", "-c", "kill -9 $$")


async def test_missing_program_names_the_package() -> None:
    with pytest.raises(DoorError, match="no-such-program-here is not installed: install it"):
        await run("no-such-program-here")
    assert "apt-get install nftables" in missing("nft")
    assert "apt-get install strongswan-charon" in missing("/usr/lib/ipsec/charon")


async def test_program_that_hangs_is_killed() -> None:
    with pytest.raises(DoorError, match=r"sleep did not end within 0.05 s and was killed"):
        await run("sleep", "1000", timeout=0.05)


async def test_cancelled_caller_leaves_no_process() -> None:
    task = asyncio.create_task(run("sleep", "1000.25"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "1000.25" not in (await run("ps", "-eo", "args")).decode()
