# SPDX-License-Identifier: Apache-2.0
"""One API server for all tests of this folder; each works on objects of names of its own."""

import os
from collections.abc import Iterator

import pytest

from tests.kube.server import KubeServer, assets

HOW = "needs a real kube-apiserver: run ./dev kube once, or set KUBEBUILDER_ASSETS"


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeServer]:
    """The server. Where there is none the test is skipped, in CI it fails."""
    programs = assets()
    if programs is None:
        if os.environ.get("CI") == "true":
            pytest.fail(HOW)
        pytest.skip(HOW)
    server = KubeServer(programs, tmp_path_factory.mktemp("kube"))
    try:
        yield server
    finally:
        server.close()
