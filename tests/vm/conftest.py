# SPDX-License-Identifier: Apache-2.0
"""What the tests in machines share. They run by `./dev vm` alone: each takes minutes."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.namespaces import Namespaces

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is below this directory unless `./dev vm` asks for it."""
    if os.environ.get("ORILLO_VM"):
        return
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.skip(reason="machines are ./dev vm's"))


@pytest.fixture(scope="module")
def ground() -> Iterator[Namespaces]:
    """Ground of this module's own. Unix sockets need a short path, so not below pytest's directory."""
    with tempfile.TemporaryDirectory(prefix="orillo-vm-") as directory:
        namespaces = Namespaces(Path(directory))
        try:
            yield namespaces
        finally:
            namespaces.remove()
