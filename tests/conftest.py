# SPDX-License-Identifier: Apache-2.0
"""What all tests share: without root, the tests that need real daemons say so and are skipped."""

import os

import pytest
from hypothesis import settings

# How long one example takes says more of the machine's load than of the code.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the lab where it can't run; in CI it has to run."""
    if os.geteuid() == 0:
        return
    reason = "needs root for network namespaces: sudo ./dev test"
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.skip(reason=reason))
