# SPDX-License-Identifier: Apache-2.0
"""When a certificate is renewed, and what a failed renewal leaves behind."""

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.netcore.plan.exchange import TrustAnswer
from appliance.paths import Paths
from appliance.sync.errors import IdentityError, UnreachableError
from appliance.sync.identity import load_identity
from appliance.sync.renew import renew, renewal_due, renewal_time
from tests.unit.sync.devices import START, enrolled

LIFE = timedelta(days=90)


@given(st.text("0123456789abcdef", min_size=8, max_size=8))
def test_due_between_two_thirds_and_a_bit_more(instance: str) -> None:
    due = renewal_time(START, START + LIFE, instance)
    assert START + LIFE * 2 / 3 <= due <= START + LIFE * (2 / 3 + 1 / 20)


def test_instances_are_spread() -> None:
    times = {renewal_time(START, START + LIFE, f"{number:08x}") for number in range(50)}
    assert max(times) - min(times) > LIFE / 40


def test_due_is_a_matter_of_now(tmp_path: Path) -> None:
    device = enrolled(Paths(tmp_path))
    due = renewal_time(device.not_before, device.not_after, device.identity.instance)
    assert not renewal_due(device, due - timedelta(seconds=1))
    assert renewal_due(device, due)
    assert renewal_due(device, device.not_after + timedelta(days=400))


class BrokenEndpoint:
    """Fails at one step, by raising or by answering nonsense."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer

    async def trust(self) -> TrustAnswer:
        return TrustAnswer(cluster="lab", plan_keys={}, ca=())

    async def renew(self, csr: bytes) -> bytes:
        if self._answer is None:
            raise UnreachableError("gone in the middle")
        return self._answer


def answers() -> Iterator[tuple[bytes | None, type[Exception]]]:
    yield None, UnreachableError
    yield b"", IdentityError
    yield b"AAAA", IdentityError
    yield b"<html>", IdentityError


@pytest.mark.parametrize(("answer", "error"), list(answers()))
async def test_failed_renewal_leaves_the_identity(
    tmp_path: Path, answer: bytes | None, error: type[Exception]
) -> None:
    paths = Paths(tmp_path)
    device = enrolled(paths)
    with pytest.raises(error):
        await renew(paths, device, BrokenEndpoint(answer))
    assert load_identity(paths) == device
    assert device.key.read_bytes() == b"key"
    assert [path.name for path in paths.state.iterdir() if path.is_dir() and not path.is_symlink()] == [
        paths.identity.readlink().name
    ]


async def test_a_disk_that_takes_no_key_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = enrolled(Paths(tmp_path))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(IdentityError, match="No space left"):
            await renew(Paths(tmp_path), device, BrokenEndpoint(None))
    assert load_identity(Paths(tmp_path)) == device


class EnrolsMeanwhile(BrokenEndpoint):
    """While the request is on its way, somebody enrols the device again."""

    def __init__(self, paths: Paths) -> None:
        super().__init__(None)
        self._paths = paths

    async def trust(self) -> TrustAnswer:
        with pytest.raises(IdentityError, match="under way"):
            enrolled(self._paths)
        return await super().trust()


async def test_renewal_and_enrolment_never_meet(tmp_path: Path) -> None:
    """Of two at once the second is told to wait, before it spends a token; the first loses nothing."""
    paths = Paths(tmp_path)
    device = enrolled(paths)
    with pytest.raises(UnreachableError, match="gone in the middle"):
        await renew(paths, device, EnrolsMeanwhile(paths))
    assert load_identity(paths) == device
    # And once the first is over, the second goes through.
    assert enrolled(paths) == load_identity(paths)


async def test_successor_is_not_written_over_by_a_renewal_of_who_was_before(tmp_path: Path) -> None:
    """The agent has not heard yet that the device was enrolled beside it."""
    paths = Paths(tmp_path)
    device = enrolled(paths)
    before = replace(device, identity=msgspec.structs.replace(device.identity, instance="0a0a0a0a"))
    with pytest.raises(IdentityError, match="enrolled anew"):
        await renew(paths, before, BrokenEndpoint(b""))
    assert load_identity(paths) == device
