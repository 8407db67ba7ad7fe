# SPDX-License-Identifier: Apache-2.0
"""What all tests share: without root, the tests that need real daemons say so and are skipped."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.fakes.control_endpoint import FakeControlEndpoint

# How long one example takes says more of the machine's load than of the code.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


@pytest.fixture
async def endpoint(tmp_path: Path) -> AsyncIterator[FakeControlEndpoint]:
    """An operator's two listeners on loopback."""
    (tmp_path / "cloud").mkdir()
    made = FakeControlEndpoint(tmp_path / "cloud")
    await made.start()
    yield made
    await made.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the lab where it can't run; in CI it has to run."""
    if os.geteuid() == 0:
        return
    reason = "needs root for network namespaces: sudo ./dev test"
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.skip(reason=reason))
