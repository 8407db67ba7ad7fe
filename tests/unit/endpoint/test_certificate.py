# SPDX-License-Identifier: Apache-2.0
"""The listeners' own certificate is renewed while they serve."""

import asyncio
import logging
import shutil
from datetime import timedelta

import pytest

from cloud.endpoint import server as endpoint
from tests.unit.endpoint.operators import Operator


async def test_a_renewal_that_fails_is_told_and_tried_again(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk was full for a while; nothing of that may end what keeps the certificate."""
    keys, away = operator.paths.keys, operator.paths.state / "away"
    monkeypatch.setattr(endpoint, "_RENEW_AGAIN", timedelta(milliseconds=1))
    caplog.set_level(logging.INFO, logger="cloud.endpoint.server")
    shutil.move(keys, away)
    keeping = asyncio.ensure_future(operator.server._keep_certificate(timedelta(0)))
    try:
        await _said("event=certificate-not-renewed", caplog)
        shutil.move(away, keys)
        await _said("event=certificate-renewed", caplog)
        assert not keeping.done()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def _said(words: str, caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(5):
        while not any(words in record.getMessage() for record in caplog.records):
            await asyncio.sleep(0.002)
