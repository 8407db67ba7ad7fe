# SPDX-License-Identifier: Apache-2.0
"""The probe of the kernel's ESP, on a stand-in for ip(8) that keeps state as the kernel does."""

import asyncio

import pytest

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.capability import probe
from appliance.netcore.spec import Ipsec


class FakeIp:
    """What `ip` would do on a kernel that lacks `lacks`; `left` is what an earlier probe left behind."""

    def __init__(self, *lacks: str, left: set[str] | None = None) -> None:
        self.lacks = lacks
        self.objects = left or set()

    async def run(self, *argv: str, timeout: float = 10.0) -> bytes:
        if argv == ("ip", "-V"):
            return b"ip utility\n"
        kind, action = ("xfrm", argv[3]) if argv[1] == "xfrm" else ("link", argv[2])
        if action == "delete":
            if kind not in self.objects:
                raise DoorError("ip ended with status 2: RTNETLINK answers: No such process")
            self.objects.remove(kind)
        elif kind in self.lacks:
            raise DoorError("ip ended with status 2: Error: Not in this kernel.")
        elif kind in self.objects:
            raise DoorError("ip ended with status 2: RTNETLINK answers: File exists")
        else:
            self.objects.add(kind)
        return b""


@pytest.mark.parametrize("left", [set[str](), {"xfrm"}, {"link"}])
async def test_a_kernel_with_both_is_used(left: set[str]) -> None:
    ip = FakeIp(left=left)
    assert (await probe(ip.run)).ipsec is Ipsec.KERNEL
    assert ip.objects == set()


@pytest.mark.parametrize(("lack", "what"), [("xfrm", "ESP with AES-GCM"), ("link", "XFRM interfaces")])
async def test_one_of_the_two_is_not_enough_and_the_kernel_says_why(lack: str, what: str) -> None:
    ip = FakeIp(lack)
    capability = await probe(ip.run)
    assert capability.ipsec is Ipsec.LIBIPSEC
    assert capability.reason == f"no {what} in the kernel: Not in this kernel."
    assert ip.objects == set()


async def test_two_probes_at_once_do_not_mislead_each_other() -> None:
    """The agent and `orillo daemon charon` start together."""
    ip = FakeIp()

    async def slowly(*argv: str, timeout: float = 10.0) -> bytes:
        await asyncio.sleep(0)
        return await ip.run(*argv, timeout=timeout)

    found = await asyncio.gather(probe(ip.run), probe(slowly))
    assert [capability.ipsec for capability in found] == [Ipsec.KERNEL, Ipsec.KERNEL]
    assert ip.objects == set()


async def test_without_the_program_nothing_is_claimed() -> None:
    async def run(*_argv: str) -> bytes:
        raise DoorError("ip is not installed: install it with `apt-get install iproute2`")

    with pytest.raises(DoorError, match="iproute2"):
        await probe(run)


async def test_no_answer_is_not_a_lack() -> None:
    """The first SA loads and tests the ciphers. A device that then takes libipsec is slow until a restart."""
    asked: list[float] = []

    async def run(*argv: str, timeout: float = 10.0) -> bytes:
        if argv == ("ip", "-V"):
            return b"ip utility\n"
        asked.append(timeout)
        raise DoorError(f"ip did not end within {timeout:g} s and was killed")

    with pytest.raises(DoorError, match="did not end"):
        await probe(run)
    assert asked == [60.0]
