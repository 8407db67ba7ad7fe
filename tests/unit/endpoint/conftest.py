# SPDX-License-Identifier: Apache-2.0
"""A running operator for every test of the endpoint."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.endpoint.operators import Operator, running


@pytest.fixture(name="operator")
async def make_operator() -> AsyncIterator[Operator]:
    """It stands in a folder with a short name: a unix socket's path holds 107 bytes (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="or-cloud-") as folder:
        async with running(Path(folder)) as operator:
            yield operator
